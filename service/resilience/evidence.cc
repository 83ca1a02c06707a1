#include "service/resilience/evidence.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace holdfast::resilience {

Evidence EvidenceOf(const Status& status, bool had_time) {
  if (status.ok()) return Evidence::kAnswered;
  switch (status.error().code()) {
    case ErrorCode::kUnavailable:
      return Evidence::kFailed;
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kOutcomeUnknown:
      return had_time ? Evidence::kFailed : Evidence::kNone;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotSupported:
    case ErrorCode::kCancelled:
    case ErrorCode::kCircuitOpen:
      return Evidence::kNone;
    default:
      return Evidence::kAnswered;
  }
}

bool MayRetry(const Status& status) {
  return !status.ok() && status.error().code() == ErrorCode::kUnavailable;
}

std::vector<std::size_t> Retryable(std::span<const storage::Operation> operations,
                                   std::span<const storage::OperationResult> results) {
  std::vector<std::size_t> retryable;
  std::set<std::string_view> answered;  // keys of operations behind the one that is looked at
  for (std::size_t i = operations.size(); i-- > 0;) {
    if (!MayRetry(results[i].status)) {
      answered.insert(operations[i].key);
    } else if (answered.count(operations[i].key) == 0) {
      retryable.push_back(i);
    }
  }
  std::reverse(retryable.begin(), retryable.end());
  return retryable;
}

}  // namespace holdfast::resilience
