// The copies of a tiered store in the backend that is its cache. Nothing here fails: a cache that does not answer in
// time has no copies.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "service/composition/access_frequency.h"
#include "service/composition/cached_copy.h"
#include "service/storage/backend.h"

namespace holdfast::composition {

struct CopyOptions {
  std::chrono::microseconds ttl = std::chrono::hours{1};  // of a copy
  // Adaptive: of a copy that is hardly asked for; `ttl` is that of one that many ask for, others lie between
  // (access_frequency.h).
  std::optional<std::chrono::microseconds> ttl_floor;
  std::chrono::microseconds negative_ttl = std::chrono::seconds{10};   // of "there is none"; 0: not remembered
  std::chrono::microseconds timeout = std::chrono::milliseconds{100};  // of a call to the cache
  std::size_t max_value_bytes = 1u << 20;                              // of larger ones there are no copies
  // What the keys of copies begin with. Processes that share a cache have different ones: each can judge its own copies
  // only, and would otherwise replace the other's.
  std::string key_prefix;
};

// Thread-safe.
class Copies {
 public:
  // `clock` outlives it.
  Copies(std::shared_ptr<storage::Backend> cache, const CopyOptions& options, const Clock& clock)
      : cache_(std::move(cache)),
        options_(options),
        clock_(clock),
        frequency_(options.ttl_floor ? std::make_unique<AccessFrequency>(options.ttl, clock) : nullptr) {}

  std::optional<CachedCopy> Find(std::string_view key, Deadline deadline) const;
  // The same for several, in one call.
  std::vector<std::optional<CachedCopy>> Find(std::span<const std::string_view> keys, Deadline deadline) const;

  struct New {
    std::string_view key;
    Stamp stamp;
    storage::EntryPtr entry;  // null: there is no such key
  };
  void Keep(std::span<const New> copies, Deadline deadline) const;

  storage::Backend& cache() const { return *cache_; }

 private:
  std::string KeyOf(std::string_view key) const { return options_.key_prefix + CopyKey(key); }
  std::chrono::microseconds TtlOf(const New& copy) const;
  Deadline Patience(const Deadline& deadline) const { return deadline.Sooner(Deadline::After(options_.timeout)); }

  const std::shared_ptr<storage::Backend> cache_;
  const CopyOptions options_;
  const Clock& clock_;
  const std::unique_ptr<AccessFrequency> frequency_;  // of looks, of late; null: the TTL is fixed
};

}  // namespace holdfast::composition
