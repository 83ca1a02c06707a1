#include "service/backends/memory/shard.h"

namespace holdfast::storage {

const EntryPtr* Shard::Find(const HashedKey& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

void Shard::Store(const HashedKey& key, EntryPtr entry) {
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    found = entries_.emplace(std::string(key.key), nullptr).first;
    ordered_.emplace(found->first, &found->second);
  } else if (found->second->expires_at) {
    expiring_.erase({*found->second->expires_at, found->first});
  }
  if (entry->expires_at) expiring_.emplace(*entry->expires_at, found->first);
  found->second = std::move(entry);
}

void Shard::Erase(const HashedKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  if (found->second->expires_at) expiring_.erase({*found->second->expires_at, found->first});
  ordered_.erase(found->first);
  entries_.erase(found);
}

void Shard::Clear() {
  expiring_.clear();
  ordered_.clear();
  entries_.clear();
}

std::vector<std::string> Shard::Expired(Timestamp now, std::size_t most) const {
  std::vector<std::string> keys;
  for (const auto& [expires_at, key] : expiring_) {
    if (expires_at > now || keys.size() == most) break;
    keys.emplace_back(key);
  }
  return keys;
}

}  // namespace holdfast::storage
