// Service accounts of Kubernetes: tokens are reviewed off the I/O threads, one review per token at a time however many
// requests wait for it, and answers are kept for a while, so that an outage of the API is felt only by new tokens.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "base/metrics/metrics.h"
#include "base/time/clock.h"
#include "service/tenancy/authenticator.h"
#include "service/tenancy/token_review.h"

namespace holdfast::tenancy {

struct ServiceAccountOptions {
  std::chrono::microseconds timeout = std::chrono::seconds{5};  // of one review
  int threads = 4;                                              // reviews at the same time
  std::size_t max_waiting = 256;                                // tokens that wait for a review; behind that 503
  // Good and bad answers are kept apart, so that a flood of bad tokens drives out no good one.
  std::size_t cache_entries = 4096;                               // of each
  std::chrono::microseconds cache_ttl = std::chrono::minutes{2};  // a token that was revoked works for so long yet
  std::chrono::microseconds refusal_ttl = std::chrono::seconds{10};
};

// What is no JSON Web Token in shape is refused without a review. The destructor waits for the reviews in progress.
// `clock` and `registry` outlive it.
std::unique_ptr<Authenticator> MakeServiceAccountAuthenticator(TokenReview review, const ServiceAccountOptions& options,
                                                               metrics::Registry& registry,
                                                               const Clock& clock = SystemClock());

}  // namespace holdfast::tenancy
