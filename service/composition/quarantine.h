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
  // So many writes are held one by one; with more no copy of any key counts until the last of those is over.
  static constexpr std::size_t kMostWrites = 100'000;

  // `stamps`, of which it is given writes, and `clock` outlive it.
  Quarantine(Stamps& stamps, std::chrono::microseconds duration, const Clock& clock, std::size_t most = kMostWrites)
      : stamps_(stamps), duration_(duration), clock_(clock), most_(most) {}

  void Hold(std::unique_ptr<Stamps::Writing> writing);
  // Lets go of those whose time is over. One load when there are none.
  void Release();

 private:
  struct Held {
    MonotonicTime until;
    std::unique_ptr<Stamps::Writing> writing;
  };

  Stamps& stamps_;
  const std::chrono::microseconds duration_;
  const Clock& clock_;
  const std::size_t most_;
  std::atomic<bool> any_{false};  // changed under mutex_
  std::mutex mutex_;
  // Guarded by mutex_:
  std::deque<Held> held_;                       // in the order of their ends
  std::unique_ptr<Stamps::Clearing> overflow_;  // stands until overflow_until_
  MonotonicTime overflow_until_{};
};

}  // namespace holdfast::composition
