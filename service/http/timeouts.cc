#include "service/http/timeouts.h"

#include <algorithm>

namespace holdfast::api {

Timeouts::Timeouts(const ServerLimits& limits)
    : durations_{limits.idle_timeout, limits.header_timeout, limits.body_timeout, limits.write_timeout,
                 limits.linger_timeout} {
  for (TimeoutEntry& head : lists_) head.next_ = head.previous_ = &head;
}

void Timeouts::Arm(TimeoutEntry& entry, Timeout kind, std::chrono::steady_clock::time_point now) {
  Disarm(entry);
  const auto index = static_cast<std::size_t>(kind);
  TimeoutEntry& head = lists_[index];
  entry.kind_ = kind;
  entry.deadline_ = now + durations_[index];
  entry.previous_ = head.previous_;
  entry.next_ = &head;
  head.previous_->next_ = &entry;
  head.previous_ = &entry;
}

void Timeouts::Disarm(TimeoutEntry& entry) {
  if (!entry.armed()) return;
  entry.previous_->next_ = entry.next_;
  entry.next_->previous_ = entry.previous_;
  entry.previous_ = entry.next_ = nullptr;
}

TimeoutEntry* Timeouts::PopExpired(std::chrono::steady_clock::time_point now) {
  for (TimeoutEntry& head : lists_) {
    TimeoutEntry* const first = head.next_;
    if (first == &head || first->deadline_ > now) continue;
    Disarm(*first);
    return first;
  }
  return nullptr;
}

std::chrono::milliseconds Timeouts::tick() const {
  using std::chrono::milliseconds;
  return std::clamp(*std::min_element(durations_.begin(), durations_.end()) / 8, milliseconds{1}, milliseconds{250});
}

}  // namespace holdfast::api
