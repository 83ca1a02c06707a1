// What one namespace may use and does use, over all stores of the service.
//
// Usage is what its entries take: bytes are those of key, value, content type, metadata and tags, in every room but
// the service's own; keys are what clients PUT, and documents. Entries that have expired count until they are removed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/time/clock.h"
#include "service/storage/key_space.h"
#include "service/storage/types.h"

namespace holdfast::tenancy {

// Left out = no limit.
struct Quota {
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> keys;
  std::optional<std::uint64_t> requests_per_second;

  bool operator==(const Quota&) const = default;
};
// Larger ones mean nothing, and this much adds up without overflow.
inline constexpr std::uint64_t kMaxQuota = std::uint64_t{1} << 60;
// Finer than the clock of the rate limit beyond that.
inline constexpr std::uint64_t kMaxRequestsPerSecond = 1'000'000;

struct Amount {
  std::int64_t bytes = 0;
  std::int64_t keys = 0;

  Amount& operator+=(const Amount& other);
  Amount& operator-=(const Amount& other);
  bool operator==(const Amount&) const = default;
};

// What an entry counts for; nothing for an entry of the service's own rooms.
Amount AmountOf(const storage::KeyPlace& place, const storage::Entry& entry, std::size_t value_bytes);
// The most the entry that a put or increment writes can count for; nothing for other operations.
Amount AmountOf(const storage::KeyPlace& place, const storage::Operation& operation);

// Thread-safe.
class NamespaceAccount {
 public:
  explicit NamespaceAccount(std::string name_space) : name_space_(std::move(name_space)) {}
  const std::string& name_space() const { return name_space_; }

  void Add(const Amount& amount);
  Amount usage() const;

  Quota quota() const;
  void SetQuota(const Quota& quota);
  // Whether bytes or keys are limited.
  bool limited() const { return limited_.load(std::memory_order_relaxed); }

  // Sets room aside for a write that has not been counted yet, when usage and all that is set aside stay within the
  // quota; what shrinks a limited dimension, or leaves it, always fits. Release follows once the write has been counted
  // or has failed.
  bool Reserve(const Amount& amount);
  void Release(const Amount& amount);
  // Held by a write that reserves less than its whole size because of what it replaces: one at a time, so that what
  // another deletes meanwhile lifts the usage above the quota by no more than that one write.
  std::mutex& replacing() { return replacing_; }

  // One request of the rate; nullopt when it may go ahead, otherwise how long to wait. A second's worth may come at
  // once. (Generic cell rate algorithm, ITU-T I.371.)
  std::optional<std::chrono::nanoseconds> TakeRequest(MonotonicTime now);

 private:
  bool Fits(std::int64_t used, std::int64_t reserved, std::int64_t more, std::uint64_t limit) const;

  static constexpr std::uint64_t kNone = ~std::uint64_t{0};
  const std::string name_space_;
  std::atomic<std::int64_t> bytes_{0};
  std::atomic<std::int64_t> keys_{0};
  std::atomic<std::uint64_t> max_bytes_{kNone};
  std::atomic<std::uint64_t> max_keys_{kNone};
  std::atomic<std::uint64_t> rate_{kNone};
  std::atomic<bool> limited_{false};
  std::atomic<std::int64_t> next_request_{0};  // when the rate would be exactly used up, in monotonic nanoseconds

  std::mutex replacing_;
  std::mutex mutex_;
  Amount reserved_;  // guarded by mutex_
};

}  // namespace holdfast::tenancy
