#include "service/tenancy/identity_cache.h"

namespace holdfast::tenancy {

std::optional<PrincipalPtr> IdentityCache::Find(const Digest& token, MonotonicTime now) {
  const auto found = by_token_.find(token);
  if (found == by_token_.end()) return std::nullopt;
  if (found->second->expires_at <= now) {
    entries_.erase(found->second);
    by_token_.erase(found);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->principal;
}

void IdentityCache::Put(const Digest& token, PrincipalPtr principal, MonotonicTime now) {
  if (max_entries_ == 0 || ttl_ <= ttl_.zero()) return;
  if (const auto found = by_token_.find(token); found != by_token_.end()) {
    entries_.erase(found->second);
    by_token_.erase(found);
  }
  while (entries_.size() >= max_entries_) {
    by_token_.erase(entries_.back().token);
    entries_.pop_back();
  }
  entries_.push_front({token, std::move(principal), now + ttl_});
  by_token_.emplace(token, entries_.begin());
}

}  // namespace holdfast::tenancy
