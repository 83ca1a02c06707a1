// Writes whose fate is not known, on a system of record that may yet take them to heart: until that time is over
// nothing that is read of their keys is kept. Nobody would tell of such a change.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>

#include "base/time/clock.h"
#include "service/composition/stamps.h"

namespace holdfast::composition {

// Thread-safe.
class Quarantine {
 public:
  // `clock` outlives it, and so do the stamps of what it is given.
  Quarantine(std::chrono::microseconds duration, const Clock& clock) : duration_(duration), clock_(clock) {}

  void Hold(std::unique_ptr<Stamps::Writing> writing);
  // Lets go of those whose time is over. One load when there are none.
  void Release();

 private:
  struct Held {
    MonotonicTime until;
    std::unique_ptr<Stamps::Writing> writing;
  };

  const std::chrono::microseconds duration_;
  const Clock& clock_;
  std::atomic<bool> any_{false};  // changed under mutex_
  std::mutex mutex_;
  std::deque<Held> held_;  // guarded by mutex_; in the order of their ends
};

}  // namespace holdfast::composition
