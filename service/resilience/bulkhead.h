// At most so many calls at once: one backend that is slow holds no more of the process than its share (M. Nygard,
// "Release It!", 2007, ch. 5.3).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "base/time/deadline.h"

namespace holdfast::resilience {

struct BulkheadOptions {
  int max_calls = 64;
  std::chrono::milliseconds max_wait{0};  // for a place; 0: refused at once when there is none
};

// Thread-safe. Who waits gets a place in no order.
class Bulkhead {
 public:
  explicit Bulkhead(const BulkheadOptions& options) : options_(options) {}
  // From now on; calls beyond a smaller number end in their own time.
  void SetOptions(const BulkheadOptions& options);

  // A place, given back when it goes. The bulkhead outlives it.
  struct Giver {
    void operator()(Bulkhead* bulkhead) const { bulkhead->Leave(); }
  };
  using Place = std::unique_ptr<Bulkhead, Giver>;

  // Null: none was free within max_wait, or before the deadline.
  Place Enter(Deadline deadline);

  int calls() const;
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  void Leave();

  std::atomic<std::uint64_t> refused_{0};
  mutable std::mutex mutex_;
  std::condition_variable left_;
  BulkheadOptions options_;  // guarded by mutex_
  int calls_ = 0;            // guarded by mutex_
};

}  // namespace holdfast::resilience
