#include "base/time/deadline.h"

#include <algorithm>

namespace holdfast {
namespace {

// Far enough to mean for ever, near enough that adding it to any clock reading cannot overflow.
constexpr std::chrono::hours kForever{24 * 365};

}  // namespace

Deadline Deadline::After(std::chrono::nanoseconds duration) {
  return At(std::chrono::steady_clock::now() + std::min<std::chrono::nanoseconds>(duration, kForever));
}

Deadline Deadline::At(std::chrono::steady_clock::time_point when) {
  Deadline deadline;
  deadline.when_ = when;
  return deadline;
}

bool Deadline::Expired() const {
  return when_ && std::chrono::steady_clock::now() >= *when_;
}

std::chrono::nanoseconds Deadline::Remaining() const {
  if (!when_) return kForever;
  return std::max<std::chrono::nanoseconds>(*when_ - std::chrono::steady_clock::now(),
                                            std::chrono::nanoseconds::zero());
}

std::chrono::steady_clock::time_point Deadline::WaitUntil() const {
  return when_ ? *when_ : std::chrono::steady_clock::now() + kForever;
}

Deadline Deadline::Sooner(const Deadline& other) const {
  if (!when_) return other;
  if (!other.when_) return *this;
  return At(std::min(*when_, *other.when_));
}

}  // namespace holdfast
