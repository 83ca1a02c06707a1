// The timeouts of all connections of one I/O thread. Every kind of timeout has one duration, so its entries expire in
// the order they were armed: a list per kind keeps them sorted, and arming, re-arming and disarming are a few pointers
// instead of a timer heap. One coarse tick per thread asks what has expired. Not thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

#include "service/http/http_server.h"

namespace holdfast::api {

enum class Timeout { kIdle, kHeader, kBody, kWrite, kLinger };
inline constexpr std::size_t kTimeoutKinds = 5;

// A link in one of the lists; armed for at most one timeout at a time. Disarm it before it dies.
class TimeoutEntry {
 public:
  bool armed() const { return next_ != nullptr; }
  bool armed_for(Timeout kind) const { return armed() && kind_ == kind; }
  // What it is, or was last, armed for.
  Timeout kind() const { return kind_; }

 private:
  friend class Timeouts;
  TimeoutEntry* previous_ = nullptr;
  TimeoutEntry* next_ = nullptr;
  std::chrono::steady_clock::time_point deadline_{};
  Timeout kind_ = Timeout::kIdle;
};

class Timeouts {
 public:
  explicit Timeouts(const ServerLimits& limits);
  Timeouts(const Timeouts&) = delete;
  Timeouts& operator=(const Timeouts&) = delete;

  // Sets the entry to expire a full duration of that kind after `now`, whatever it was armed for before. `now` never
  // goes backwards.
  void Arm(TimeoutEntry& entry, Timeout kind, std::chrono::steady_clock::time_point now);
  static void Disarm(TimeoutEntry& entry);

  // Takes one expired entry out of its list; null when none is left.
  TimeoutEntry* PopExpired(std::chrono::steady_clock::time_point now);

  // How often to ask: an eighth of the shortest duration, between 1 and 250 ms.
  std::chrono::milliseconds tick() const;

 private:
  std::array<std::chrono::milliseconds, kTimeoutKinds> durations_;
  std::array<TimeoutEntry, kTimeoutKinds> lists_;  // heads of circular lists
};

}  // namespace holdfast::api
