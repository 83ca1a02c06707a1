#include "service/backends/redis/held_locks.h"

#include <algorithm>

#include "service/storage/key_space.h"

namespace holdfast::storage::redis_backend {

bool IsLock(std::string_view backend_key) {
  const auto place = FindPlace(backend_key);
  return place && place->room == Room::kLocks;
}

void HeldLocks::Note(std::string_view key, const EntryPtr& after) {
  if (!IsLock(key)) return;
  const std::lock_guard lock(mutex_);
  const auto known = expiries_.find(key);
  if (after == nullptr || !after->expires_at) {
    if (known != expiries_.end()) expiries_.erase(known);
    return;
  }
  const std::int64_t until = after->expires_at->time_since_epoch().count();
  if (known != expiries_.end()) {
    known->second = until;
  } else {
    expiries_.emplace(key, until);
  }
}

std::int64_t HeldLocks::Latest() const {
  const std::lock_guard lock(mutex_);
  std::int64_t latest = 0;
  for (const auto& [key, until] : expiries_) latest = std::max(latest, until);
  return latest;
}

}  // namespace holdfast::storage::redis_backend
