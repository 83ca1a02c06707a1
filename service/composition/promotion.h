// Copies on their way into a cache that lies behind a network: kept by a thread of their own, so that nobody's answer
// waits for it. What there is no room for is dropped; the next read leaves another copy. A copy that comes late counts
// no more than one that comes in time: its stamp decides (stamps.h).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "service/composition/copies.h"

namespace holdfast::composition {

inline constexpr std::size_t kMaxWaitingCopies = 4096;
inline constexpr std::size_t kMaxWaitingBytes = std::size_t{32} << 20;  // of their values
// Of one call to the cache.
inline constexpr std::size_t kMaxCopiesAtOnce = 64;

// Thread-safe.
class Promotion {
 public:
  // `copies` outlive it.
  explicit Promotion(const Copies& copies) : copies_(copies), thread_([this] { Loop(); }) {}
  ~Promotion() { Stop(); }
  Promotion(const Promotion&) = delete;
  Promotion& operator=(const Promotion&) = delete;

  void Offer(const std::vector<Copies::New>& copies);
  // Gives up what still waits. Idempotent.
  void Stop();

  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  struct Waiting {
    std::string key;
    Stamp stamp;
    storage::EntryPtr entry;
  };
  void Loop();

  const Copies& copies_;
  std::atomic<std::uint64_t> dropped_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> waiting_;  // guarded by mutex_
  std::size_t bytes_ = 0;        // guarded by mutex_; of the values in waiting_
  bool stopping_ = false;        // guarded by mutex_
  std::thread thread_;           // last: it uses all of these
};

}  // namespace holdfast::composition
