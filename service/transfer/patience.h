// How long a command that moves many items bears with a server that does not answer.
#pragma once

#include <chrono>
#include <thread>

#include "base/result/error.h"
#include "base/time/backoff.h"

namespace holdfast::transfer {

// Of a call.
inline constexpr std::chrono::seconds kPatience{60};
// How often a call is made again whose failure may pass, and after what pauses.
inline constexpr int kAttempts = 5;
inline constexpr BackoffPolicy kPauses{std::chrono::milliseconds{400}, std::chrono::seconds{10}, 1.0};

inline bool MayPass(const Error& error) {
  const ErrorCode code = error.code();
  return code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded || code == ErrorCode::kOutcomeUnknown;
}

// What `call` gives, which is a Result; it is called again while its failure may pass.
template <typename Call>
auto WithPatience(const BackoffPolicy& policy, const Call& call) {
  Backoff pauses(policy);
  for (int attempt = 1;; ++attempt) {
    auto result = call();
    if (result.ok() || attempt == kAttempts || !MayPass(result.error())) return result;
    std::this_thread::sleep_for(pauses.Next());
  }
}

}  // namespace holdfast::transfer
