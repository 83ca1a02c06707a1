// The instant by which an answer is wanted. Made once where a request enters, and handed down every call that can
// block; no layer invents its own timeout below it. A value type; measured on the monotonic clock.
#pragma once

#include <chrono>
#include <optional>

namespace holdfast {

class Deadline {
 public:
  static Deadline Infinite() { return Deadline(); }
  // A duration of zero or less gives a deadline that has already passed.
  static Deadline After(std::chrono::nanoseconds duration);
  static Deadline At(std::chrono::steady_clock::time_point when);

  bool infinite() const { return !when_.has_value(); }
  bool Expired() const;
  // Zero when expired; a year when infinite, so that it can be passed to wait_for.
  std::chrono::nanoseconds Remaining() const;
  // For wait_until; a year ahead when infinite.
  std::chrono::steady_clock::time_point WaitUntil() const;
  // The earlier of the two.
  Deadline Sooner(const Deadline& other) const;

 private:
  Deadline() = default;
  std::optional<std::chrono::steady_clock::time_point> when_;
};

}  // namespace holdfast
