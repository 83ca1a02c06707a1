// How long keys of a store live: of those written without a TTL of their own, and of those that are read. Thread-safe;
// a running service may be told others.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

namespace holdfast::storage {

class StoreTtls {
 public:
  using Ttl = std::optional<std::chrono::microseconds>;

  StoreTtls(Ttl default_ttl, Ttl sliding_ttl) { Set(default_ttl, sliding_ttl); }
  void Set(Ttl default_ttl, Ttl sliding_ttl) {
    default_ttl_.store(default_ttl.value_or(kNone), std::memory_order_relaxed);
    sliding_ttl_.store(sliding_ttl.value_or(kNone), std::memory_order_relaxed);
  }

  // Of keys that are written without one.
  Ttl default_ttl() const { return Read(default_ttl_); }
  // A read of a key that expires makes it live at least so long from then on.
  Ttl sliding_ttl() const { return Read(sliding_ttl_); }

 private:
  using Atomic = std::atomic<std::chrono::microseconds>;
  static constexpr std::chrono::microseconds kNone{0};  // no TTL is zero

  static Ttl Read(const Atomic& from) {
    const std::chrono::microseconds ttl = from.load(std::memory_order_relaxed);
    return ttl == kNone ? Ttl() : Ttl(ttl);
  }

  Atomic default_ttl_{kNone};
  Atomic sliding_ttl_{kNone};
};

}  // namespace holdfast::storage
