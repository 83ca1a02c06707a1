#include "base/result/error.h"

namespace holdfast {

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kAlreadyExists:
      return "already_exists";
    case ErrorCode::kVersionConflict:
      return "version_conflict";
    case ErrorCode::kFenced:
      return "fenced";
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kFailedPrecondition:
      return "failed_precondition";
    case ErrorCode::kResourceExhausted:
      return "resource_exhausted";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kDeadlineExceeded:
      return "deadline_exceeded";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kOutcomeUnknown:
      return "outcome_unknown";
    case ErrorCode::kCorruption:
      return "corruption";
    case ErrorCode::kNotSupported:
      return "not_supported";
    case ErrorCode::kCircuitOpen:
      return "circuit_open";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "internal";
}

std::string Error::ToString() const {
  std::string text(ErrorCodeName(code_));
  text.append(": ").append(message_);
  return text;
}

Error Error::WithContext(std::string_view context) && {
  std::string text;
  text.reserve(context.size() + 2 + message_.size());
  text.append(context).append(": ").append(message_);
  message_ = std::move(text);
  return std::move(*this);
}

}  // namespace holdfast
