// The bearer token of a request. Service account tokens are rotated on disk about every hour, so they are read again
// when their file changes, at least every kTokenRereadInterval, and when the server refuses one (401).
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "base/result/result.h"
#include "base/time/clock.h"

namespace holdfast::kube {

inline constexpr std::chrono::seconds kTokenRereadInterval{60};
inline constexpr std::size_t kTokenMaxBytes = 64 * 1024;

// Thread-safe.
class TokenSource {
 public:
  virtual ~TokenSource() = default;
  // Empty = send no Authorization header.
  virtual std::string Token() = 0;
  // The server refused `refused`: true when there is now another token to try.
  virtual bool Renew(const std::string& refused) = 0;
};

std::unique_ptr<TokenSource> MakeFixedToken(std::string token);

// kInvalidArgument or kNotFound when there is no usable token in the file now. Later failures to read it keep the last
// good token and are logged: a token may be good for longer than its file is missing (kubelet swaps it by rename).
Result<std::unique_ptr<TokenSource>> OpenTokenFile(const std::string& path, const Clock& clock = SystemClock());

}  // namespace holdfast::kube
