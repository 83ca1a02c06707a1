// Answers about tokens, kept for a while: bounded by number and by age, the least recently used goes first.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <optional>
#include <unordered_map>

#include "base/time/clock.h"
#include "service/tenancy/principal.h"
#include "service/tenancy/sha256.h"

namespace holdfast::tenancy {

// Not thread-safe.
class IdentityCache {
 public:
  // Keeps nothing when either is zero.
  IdentityCache(std::size_t max_entries, std::chrono::microseconds ttl) : max_entries_(max_entries), ttl_(ttl) {}

  // What Put was given; nullptr may have been it.
  std::optional<PrincipalPtr> Find(const Digest& token, MonotonicTime now);
  void Put(const Digest& token, PrincipalPtr principal, MonotonicTime now);
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Digest token;
    PrincipalPtr principal;
    MonotonicTime expires_at;
  };
  const std::size_t max_entries_;
  const std::chrono::microseconds ttl_;
  std::list<Entry> entries_;  // the most recently used first
  std::unordered_map<Digest, std::list<Entry>::iterator, DigestHash> by_token_;
};

}  // namespace holdfast::tenancy
