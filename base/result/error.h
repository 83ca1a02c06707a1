// Why something failed, as a value. An Error carries one code for machines and one sentence for people; every layer
// it passes may put its own words in front with WithContext, so it reads from the outermost intent to the cause.
#pragma once

#include <string>
#include <string_view>

namespace holdfast {

enum class ErrorCode {
  kNotFound,
  kAlreadyExists,
  kVersionConflict,
  kFenced,
  kInvalidArgument,
  kFailedPrecondition,
  kResourceExhausted,
  kUnavailable,
  kDeadlineExceeded,
  kCancelled,
  // The request may or may not have taken effect. Never reported as a clean failure, never retried blindly.
  kOutcomeUnknown,
  kCorruption,
  kNotSupported,
  kCircuitOpen,
  kInternal,
};

// The name in lower snake case, as the API and the metrics spell it: "not_found", "outcome_unknown".
std::string_view ErrorCodeName(ErrorCode code);

class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  // "context: context: cause", without the code.
  const std::string& message() const { return message_; }
  // "not_found: opening store main: no such directory", for logs.
  std::string ToString() const;

  Error WithContext(std::string_view context) &&;

 private:
  ErrorCode code_;
  std::string message_;
};

}  // namespace holdfast
