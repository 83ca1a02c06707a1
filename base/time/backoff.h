// Exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): the
// n-th delay is uniform in [floor, min(maximum, initial * 2^n)]. Not thread-safe; one per retrying loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace holdfast {

struct BackoffPolicy {
  std::chrono::nanoseconds initial = std::chrono::milliseconds{100};
  std::chrono::nanoseconds maximum = std::chrono::seconds{30};
  // 0: no jitter, the delay is the bound itself. 1: full jitter.
  double jitter = 1.0;
};

class Backoff {
 public:
  explicit Backoff(BackoffPolicy policy, std::uint64_t seed = std::random_device{}());
  std::chrono::nanoseconds Next();
  void Reset() { attempts_ = 0; }
  // How many delays were handed out since the start or the last Reset.
  int attempts() const { return attempts_; }

 private:
  BackoffPolicy policy_;
  std::mt19937_64 random_;
  int attempts_ = 0;
};

// initial * 2^attempt, at most maximum, without overflow. For callers that keep the count themselves.
std::chrono::nanoseconds ExponentialDelay(std::chrono::nanoseconds initial, std::chrono::nanoseconds maximum,
                                          int attempt);

}  // namespace holdfast
