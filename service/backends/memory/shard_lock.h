// A reader-writer lock whose readers do not disturb each other: each thread counts itself in and out on a cache line of
// its own stripe, and a writer waits until all stripes are empty ("big-reader lock", as Linux' percpu-rwsem). Made for
// look-ups of some ten nanoseconds, which one shared counter would make several times as slow as soon as two cores
// read.
//
// Meets SharedMutex for std::shared_lock and std::unique_lock. Not recursive, also not for readers: a writer in between
// would wait for the first and hold up the second. A reader is counted out by the thread that came in.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>

namespace holdfast::storage {

class ShardLock {
 public:
  void lock_shared() {
    Stripe& stripe = stripes_[OwnStripe()];
    // Either this thread sees the writer's flag or the writer sees this thread's count: both orders are sequentially
    // consistent.
    stripe.readers.fetch_add(1, std::memory_order_seq_cst);
    if (writing_.load(std::memory_order_seq_cst)) [[unlikely]] {
      WaitForWriter(stripe);
    }
  }
  void unlock_shared() { stripes_[OwnStripe()].readers.fetch_sub(1, std::memory_order_release); }

  // unlock_shared that also counts what the reader came for: a hit for free, in the upper bits of the same word.
  void UnlockShared(bool hit) {
    Stripe& stripe = stripes_[OwnStripe()];
    if (!hit) stripe.misses.fetch_add(1, std::memory_order_relaxed);
    stripe.readers.fetch_add(hit ? kHit - 1 : std::uint64_t{0} - 1, std::memory_order_release);
  }
  // At some moment of the call.
  std::uint64_t hits() const {
    std::uint64_t hits = 0;
    for (const Stripe& stripe : stripes_) hits += stripe.readers.load(std::memory_order_relaxed) / kHit;
    return hits;
  }
  std::uint64_t misses() const {
    std::uint64_t misses = 0;
    for (const Stripe& stripe : stripes_) misses += stripe.misses.load(std::memory_order_relaxed);
    return misses;
  }

  void lock() {
    writers_.lock();
    writing_.store(true, std::memory_order_seq_cst);
    for (const Stripe& stripe : stripes_) {
      while (stripe.readers.load(std::memory_order_seq_cst) % kHit != 0) std::this_thread::yield();
    }
  }
  void unlock() {
    writing_.store(false, std::memory_order_release);
    writers_.unlock();
  }

 private:
  static constexpr std::size_t kStripes = 8;
  static constexpr std::uint64_t kHit = 1u << 16;  // below it: the readers inside, fewer than threads can be

  struct alignas(64) Stripe {
    std::atomic<std::uint64_t> readers{0};
    std::atomic<std::uint64_t> misses{0};
  };

  static std::size_t OwnStripe() {
    static std::atomic<std::size_t> threads{0};
    static thread_local std::size_t stripe = kStripes;  // a constant, so that no guard is asked on every call
    if (stripe == kStripes) [[unlikely]] {
      stripe = threads.fetch_add(1, std::memory_order_relaxed) % kStripes;
    }
    return stripe;
  }

  void WaitForWriter(Stripe& stripe) {
    stripe.readers.fetch_sub(1, std::memory_order_release);
    const std::lock_guard behind_the_writer(writers_);
    stripe.readers.fetch_add(1, std::memory_order_seq_cst);
  }

  std::array<Stripe, kStripes> stripes_;
  std::atomic<bool> writing_{false};
  std::mutex writers_;
};

}  // namespace holdfast::storage
