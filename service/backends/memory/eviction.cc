#include "service/backends/memory/eviction.h"

#include <algorithm>
#include <limits>

#include "service/storage/key_space.h"

namespace holdfast::storage {
namespace {

// Redis' constants: new entries begin above zero, or they would be evicted before their second use; the counter's 255
// stand for about a million uses.
constexpr std::uint64_t kFirstCount = 5;
constexpr std::uint64_t kMostCount = 255;
constexpr std::uint64_t kLogFactor = 10;
constexpr unsigned kCountBits = 8;

std::uint64_t LfuNote(std::uint64_t minutes, std::uint64_t count) {
  return minutes << kCountBits | count;
}

// The counter as it stands now: one less for every minute since it was noted.
std::uint64_t DecayedCount(std::uint64_t use, std::uint64_t minutes) {
  const std::uint64_t count = use & ((1u << kCountBits) - 1);
  const std::uint64_t noted = use >> kCountBits;
  const std::uint64_t passed = minutes > noted ? minutes - noted : 0;
  return count > passed ? count - passed : 0;
}

}  // namespace

bool IsEvictable(std::string_view key) {
  const std::optional<KeyPlace> place = FindPlace(key);
  return !place || (place->room == Room::kKeys && place->name_space != kSystemNamespace);
}

std::uint64_t FirstUse(Eviction eviction, const EvictionClock& now) {
  return eviction == Eviction::kLfu ? LfuNote(now.minutes, kFirstCount) : now.writes;
}

std::uint64_t NextUse(Eviction eviction, std::uint64_t use, const EvictionClock& now, std::uint64_t random) {
  if (eviction != Eviction::kLfu) return now.writes;
  std::uint64_t count = DecayedCount(use, now.minutes);
  const std::uint64_t above = count > kFirstCount ? count - kFirstCount : 0;
  // One more in 1 / (above * factor + 1) of all uses.
  const bool more = count < kMostCount && random < std::numeric_limits<std::uint64_t>::max() / (above * kLogFactor + 1);
  return LfuNote(now.minutes, more ? count + 1 : count);
}

std::uint64_t EvictionScore(Eviction eviction, const Record& record, const EvictionClock& now) {
  const std::uint64_t use = record.use.load(std::memory_order_relaxed);
  switch (eviction) {
    case Eviction::kNone:
      return 0;
    case Eviction::kLru:
      return now.writes > use ? now.writes - use : 0;
    case Eviction::kLfu:
      return kMostCount - DecayedCount(use, now.minutes);
    case Eviction::kTtl:
      return ~static_cast<std::uint64_t>(record.expires_at.time_since_epoch().count());
  }
  return 0;
}

bool IsCandidate(Eviction eviction, const Record& record) {
  if (eviction == Eviction::kNone || (eviction == Eviction::kTtl && record.expires_at == Timestamp::max()))
    return false;
  return IsEvictable(record.key());
}

}  // namespace holdfast::storage
