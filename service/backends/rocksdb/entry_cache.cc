#include "service/backends/rocksdb/entry_cache.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace holdfast::storage {
namespace {

// What malloc takes beyond the bytes of key and entry: their parts, the control block, the headers of four pieces.
constexpr std::uint64_t kOverhead = 288;

std::uint64_t Footprint(std::string_view key, const Entry& entry) {
  std::uint64_t bytes = kOverhead + key.size() + entry.value.size() + entry.content_type.size() + entry.metadata.size();
  for (const std::string& tag : entry.tags) bytes += sizeof(std::string) + tag.size();
  return bytes;
}

}  // namespace

EntryCache::EntryCache(std::uint64_t bytes) {
  if (bytes < kSetBytes) return;
  const std::uint64_t sets = std::bit_floor(bytes / kSetBytes);
  mask_ = sets - 1;
  sets_ = std::make_unique<Set[]>(sets);
}

EntryCache::Place EntryCache::PlaceOf(std::string_view key) const {
  const std::uint64_t hash = std::hash<std::string_view>{}(key);
  return {sets_[hash & mask_], static_cast<std::uint32_t>(hash >> 32)};
}

std::size_t EntryCache::WayOf(const Place& place, std::string_view key) {
  for (std::size_t way = 0; way < kWays; ++way) {
    if (place.set.tags[way] == place.tag && place.set.cached[way] && place.set.cached[way]->key == key) return way;
  }
  return kWays;
}

void EntryCache::Drop(Set& set, std::size_t way) {
  set.bytes -= static_cast<std::uint32_t>(Footprint(set.cached[way]->key, *set.cached[way]->entry));
  set.cached[way].reset();
}

void EntryCache::Insert(const Place& place, std::string_view key, const EntryPtr& entry) {
  const std::uint64_t bytes = Footprint(key, *entry);
  if (bytes > kSetBytes) return;
  Set& set = place.set;
  const auto free_way = [&set] {
    const auto free = std::find(set.cached.begin(), set.cached.end(), nullptr);
    return static_cast<std::size_t>(free - set.cached.begin());
  };
  std::size_t way = free_way();
  while (way == kWays || set.bytes + bytes > kSetBytes) {
    const std::uint32_t bit = std::uint32_t{1} << set.hand;
    if (set.cached[set.hand] && (set.used & bit) == 0) {
      Drop(set, set.hand);
      way = set.hand;
    }
    set.used &= ~bit;
    set.hand = static_cast<std::uint32_t>((set.hand + 1) % kWays);
  }
  set.cached[way] = std::make_unique<Cached>(Cached{std::string(key), entry});
  set.tags[way] = place.tag;
  set.bytes += static_cast<std::uint32_t>(bytes);
}

EntryCache::Found EntryCache::Find(std::string_view key) {
  if (!sets_) return {};
  const Place place = PlaceOf(key);
  const std::unique_lock lock(place.set.mutex, std::try_to_lock);
  if (!lock.owns_lock()) return {};
  const std::size_t way = WayOf(place, key);
  if (way == kWays) return {nullptr, {place.set.writes, place.set.in_progress == 0}};
  place.set.used |= std::uint32_t{1} << way;
  ++place.set.hits;
  return {place.set.cached[way]->entry, {}};
}

void EntryCache::Fill(std::string_view key, const EntryPtr& entry, Ticket ticket) {
  if (!ticket.valid || !entry) return;
  const Place place = PlaceOf(key);
  const std::lock_guard lock(place.set.mutex);
  if (place.set.writes != ticket.writes || WayOf(place, key) != kWays) return;
  Insert(place, key, entry);
}

void EntryCache::BeginWrite(std::string_view key) {
  if (!sets_) return;
  const Place place = PlaceOf(key);
  const std::lock_guard lock(place.set.mutex);
  ++place.set.writes;
  ++place.set.in_progress;
  if (const std::size_t way = WayOf(place, key); way != kWays) Drop(place.set, way);
}

void EntryCache::EndWrite(std::string_view key, const EntryPtr& entry) {
  if (!sets_) return;
  const Place place = PlaceOf(key);
  const std::lock_guard lock(place.set.mutex);
  ++place.set.writes;
  --place.set.in_progress;
  if (entry) Insert(place, key, entry);
}

std::uint64_t EntryCache::hits() const {
  std::uint64_t hits = 0;
  for (std::uint64_t i = 0; sets_ && i <= mask_; ++i) {
    const std::lock_guard lock(sets_[i].mutex);
    hits += sets_[i].hits;
  }
  return hits;
}

}  // namespace holdfast::storage
