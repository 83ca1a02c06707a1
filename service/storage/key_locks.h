// Locks for keys: a key belongs to one of a fixed number of stripes, and a caller locks all stripes of its keys at
// once.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "service/storage/small_mutex.h"

namespace holdfast::storage {

// Thread-safe.
class KeyLocks {
 public:
  static constexpr std::uint32_t kStripes = 4096;

  // Releases when it goes.
  class Held {
   public:
    Held(KeyLocks& locks, std::uint32_t stripe) : locks_(&locks), single_(stripe) {}
    Held(KeyLocks& locks, std::vector<std::uint32_t> stripes) : locks_(&locks), stripes_(std::move(stripes)) {}
    Held(Held&& other) noexcept
        : locks_(other.locks_),
          single_(std::exchange(other.single_, kNone)),
          stripes_(std::exchange(other.stripes_, {})) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (single_ != kNone) locks_->taken_[single_].unlock();
      for (const std::uint32_t stripe : stripes_) locks_->taken_[stripe].unlock();
    }

   private:
    static constexpr std::uint32_t kNone = kStripes;

    KeyLocks* locks_;
    std::uint32_t single_ = kNone;  // most callers have one, and allocate nothing
    std::vector<std::uint32_t> stripes_;
  };

  // Waits until all are free. Stripes are taken in rising order, so callers cannot wait for each other in a circle.
  Held Lock(std::span<const std::string_view> keys) {
    if (keys.size() == 1) {
      const std::uint32_t stripe = StripeOf(keys[0]);
      taken_[stripe].lock();
      return Held(*this, stripe);
    }
    std::vector<std::uint32_t> stripes;
    stripes.reserve(keys.size());
    for (const std::string_view key : keys) stripes.push_back(StripeOf(key));
    std::sort(stripes.begin(), stripes.end());
    stripes.erase(std::unique(stripes.begin(), stripes.end()), stripes.end());
    return LockStripes(std::move(stripes));
  }
  // For callers with a hash of their own: stripes below kStripes, rising, each once.
  Held LockStripes(std::vector<std::uint32_t> stripes) {
    for (const std::uint32_t stripe : stripes) taken_[stripe].lock();
    return Held(*this, std::move(stripes));
  }

  // Every key's.
  Held LockAll() {
    std::vector<std::uint32_t> stripes(kStripes);
    std::iota(stripes.begin(), stripes.end(), 0U);
    return LockStripes(std::move(stripes));
  }

  // Returns once everyone who held a stripe when it was called has released it.
  void AwaitHolders() {
    std::vector<std::uint32_t> held;
    for (std::uint32_t stripe = 0; stripe < kStripes; ++stripe) {
      if (taken_[stripe].is_locked()) held.push_back(stripe);
    }
    for (const std::uint32_t stripe : held) {
      taken_[stripe].lock();
      taken_[stripe].unlock();
    }
  }

 private:
  static std::uint32_t StripeOf(std::string_view key) {
    return static_cast<std::uint32_t>(std::hash<std::string_view>{}(key) % kStripes);
  }

  std::array<SmallMutex, kStripes> taken_;
};

}  // namespace holdfast::storage
