// Locks for keys: a key belongs to one of a fixed number of stripes, and a caller locks all stripes of its keys at
// once.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace holdfast::storage {

// Thread-safe.
class KeyLocks {
 public:
  // Releases when it goes.
  class Held {
   public:
    Held(KeyLocks& locks, std::vector<std::uint32_t> stripes) : locks_(&locks), stripes_(std::move(stripes)) {}
    Held(Held&& other) noexcept : locks_(other.locks_), stripes_(std::exchange(other.stripes_, {})) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    Held& operator=(Held&&) = delete;
    ~Held() {
      for (const std::uint32_t stripe : stripes_) locks_->Release(stripe);
    }

   private:
    KeyLocks* locks_;
    std::vector<std::uint32_t> stripes_;
  };

  static constexpr std::size_t kStripes = 4096;

  // Waits until all are free. Stripes are taken in rising order, so callers cannot wait for each other in a circle.
  Held Lock(std::span<const std::string_view> keys) {
    std::vector<std::uint32_t> stripes;
    stripes.reserve(keys.size());
    for (const std::string_view key : keys) {
      stripes.push_back(static_cast<std::uint32_t>(std::hash<std::string_view>{}(key) % kStripes));
    }
    std::sort(stripes.begin(), stripes.end());
    stripes.erase(std::unique(stripes.begin(), stripes.end()), stripes.end());
    return LockStripes(std::move(stripes));
  }
  // For callers with a hash of their own: stripes below kStripes, rising, each once.
  Held LockStripes(std::vector<std::uint32_t> stripes) {
    for (const std::uint32_t stripe : stripes) Acquire(stripe);
    return Held(*this, std::move(stripes));
  }

  // Returns once everyone who held a stripe when it was called has released it.
  void AwaitHolders() {
    std::vector<std::uint32_t> held;
    for (std::uint32_t stripe = 0; stripe < kStripes; ++stripe) {
      if (taken_[stripe].load(std::memory_order_acquire) != 0) held.push_back(stripe);
    }
    for (const std::uint32_t stripe : held) {
      Acquire(stripe);
      Release(stripe);
    }
  }

 private:
  // Four bytes each instead of a mutex's forty; a batch holds hundreds of them.
  void Acquire(std::uint32_t stripe) {
    while (taken_[stripe].exchange(1, std::memory_order_acquire) != 0) taken_[stripe].wait(1);
  }
  void Release(std::uint32_t stripe) {
    taken_[stripe].store(0, std::memory_order_release);
    taken_[stripe].notify_one();
  }

  std::array<std::atomic<std::int32_t>, kStripes> taken_{};
};

}  // namespace holdfast::storage
