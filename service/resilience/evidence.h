// What the answer to a call says of the backend that gave it. Pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result/result.h"
#include "service/storage/types.h"

namespace holdfast::resilience {

enum class Evidence {
  kAnswered,  // it works, whatever it said of the operation
  kFailed,    // it could not be reached, or was not done in time
  kNone,      // the call never came that far, or had no time to
};

// `had_time`: the call was not ended by a deadline that left the backend hardly any.
Evidence EvidenceOf(const Status& status, bool had_time);

// Nothing was done and another attempt may do it: kUnavailable. Never kOutcomeUnknown: the write may be there, and a
// second one would be another write. Idempotency keys are the API's, which looks up what became of the first.
bool MayRetry(const Status& status);

// The operations that may be tried again, rising. One that failed in front of another of the same key that took effect
// is none of them: operations on one key take effect in their order.
std::vector<std::size_t> Retryable(std::span<const storage::Operation> operations,
                                   std::span<const storage::OperationResult> results);

}  // namespace holdfast::resilience
