// A mutex of four bytes instead of forty, for where there are thousands of them and each is held briefly. Its code is
// in place: locking one that is free is one instruction. Source: Drepper, "Futexes Are Tricky", mutex 2.
#pragma once

#include <atomic>
#include <cstdint>

namespace holdfast::storage {

// Lockable as the standard has it: std::lock_guard and std::unique_lock take it. Not recursive; no order among waiters.
class SmallMutex {
 public:
  void lock() {
    if (try_lock()) return;
    while (state_.exchange(kAwaited, std::memory_order_acquire) != kFree) state_.wait(kAwaited);
  }
  bool try_lock() {
    std::int32_t expected = kFree;
    return state_.compare_exchange_strong(expected, kLocked, std::memory_order_acquire, std::memory_order_relaxed);
  }
  void unlock() {
    // Only who may have kept somebody waiting wakes somebody.
    if (state_.exchange(kFree, std::memory_order_release) == kAwaited) state_.notify_one();
  }
  // Whether somebody held it just now.
  bool is_locked() const { return state_.load(std::memory_order_acquire) != kFree; }

 private:
  enum : std::int32_t { kFree, kLocked, kAwaited };

  std::atomic<std::int32_t> state_{kFree};
};

}  // namespace holdfast::storage
