#include "service/backends/rocksdb/entry_cache.h"

#include <algorithm>
#include <functional>
#include <mutex>

namespace holdfast::storage {
namespace {

// What malloc takes for a piece of this size: a header, in steps of 16 bytes.
constexpr std::size_t Allocated(std::size_t bytes) {
  return (bytes + 8 + 15) / 16 * 16;
}

std::size_t Allocated(std::string_view text) {
  constexpr std::size_t kWithinString = 15;
  return text.size() <= kWithinString ? 0 : Allocated(text.size() + 1);
}

// Beside the way itself.
std::size_t Footprint(std::string_view key, const Entry& entry) {
  constexpr std::size_t kReferenceCounts = 16;
  std::size_t bytes = Allocated(kReferenceCounts + sizeof(Entry)) + Allocated(key) + Allocated(entry.value) +
                      Allocated(entry.content_type) + Allocated(entry.metadata);
  if (!entry.tags.empty()) bytes += Allocated(entry.tags.size() * sizeof(std::string));
  for (const std::string& tag : entry.tags) bytes += Allocated(tag);
  return bytes;
}

}  // namespace

EntryCache::EntryCache(std::uint64_t bytes) {
  count_ = std::min<std::uint64_t>(bytes / SetBytes(), std::uint64_t{1} << 32);
  if (count_ > 0) sets_ = std::make_unique<Set[]>(count_);
}

EntryCache::Place EntryCache::PlaceOf(std::string_view key) const {
  const std::uint64_t hash = std::hash<std::string_view>{}(key);
  // A number of 32 bits scaled to the number of sets, which need be no power of two.
  Set& set = sets_[((hash >> 32) * count_) >> 32];
  return {set, static_cast<std::uint16_t>(std::max<std::uint64_t>(hash & 0xffff, 1))};
}

std::size_t EntryCache::WayOf(const Place& place, std::string_view key) {
  const Set& set = place.set;
  for (std::size_t way = 0; way < kWays; ++way) {
    if (set.tags[way] == place.tag && set.ways[way].key == key) return way;
  }
  return kWays;
}

void EntryCache::Drop(Set& set, std::size_t way) {
  set.bytes = static_cast<std::uint16_t>(set.bytes - set.sizes[way]);
  set.sizes[way] = 0;
  set.tags[way] = 0;
  set.ways[way].entry.reset();
  std::string().swap(set.ways[way].key);  // an assignment would keep its memory
}

void EntryCache::Keep(const Place& place, std::size_t way, std::string_view key, EntryPtr entry) {
  Set& set = place.set;
  const std::size_t size = Footprint(key, *entry);
  if (size > kRoom) {
    if (way != kWays) Drop(set, way);
    return;
  }
  const bool known = way != kWays;
  if (known) {
    set.bytes = static_cast<std::uint16_t>(set.bytes - set.sizes[way]);
  } else {
    const auto free = std::find(set.tags.begin(), set.tags.end(), 0);
    way = static_cast<std::size_t>(free - set.tags.begin());
  }
  const std::size_t own = known ? way : kWays;
  while (way == kWays || set.bytes + size > kRoom) {
    const std::size_t hand = set.hand;
    set.hand = static_cast<std::uint16_t>((hand + 1) % kWays);
    if (hand == own) continue;
    const auto bit = static_cast<std::uint16_t>(1U << hand);
    if (set.tags[hand] != 0 && (set.used & bit) == 0) {
      Drop(set, hand);
      if (way == kWays) way = hand;
    }
    set.used = static_cast<std::uint16_t>(set.used & ~bit);
  }
  if (!known) {
    set.ways[way].key = key;
    set.tags[way] = place.tag;
  }
  set.ways[way].entry = std::move(entry);
  set.sizes[way] = static_cast<std::uint16_t>(size);
  set.bytes = static_cast<std::uint16_t>(set.bytes + size);
}

EntryCache::Found EntryCache::Find(std::string_view key) {
  if (!sets_) return {};
  const Place place = PlaceOf(key);
  Set& set = place.set;
  const std::unique_lock lock(set.mutex, std::try_to_lock);
  if (!lock.owns_lock()) return {};
  const std::size_t way = WayOf(place, key);
  if (way == kWays || !set.ways[way].entry) return {nullptr, {set.writes, set.in_progress == 0}};
  set.used = static_cast<std::uint16_t>(set.used | 1U << way);
  ++set.hits;
  return {set.ways[way].entry, {}};
}

void EntryCache::Fill(std::string_view key, const EntryPtr& entry, Ticket ticket) {
  if (!ticket.valid || !entry) return;
  const Place place = PlaceOf(key);
  const std::lock_guard lock(place.set.mutex);
  if (place.set.writes != ticket.writes || WayOf(place, key) != kWays) return;
  Keep(place, kWays, key, entry);
}

void EntryCache::Announce(std::string_view key) const {
  if (!sets_) return;
  const Set& set = PlaceOf(key).set;
  __builtin_prefetch(&set, /*to be written=*/1);
  __builtin_prefetch(&set.sizes, /*to be written=*/1);
}

EntryPtr EntryCache::BeginWrite(std::string_view key) {
  if (!sets_) return nullptr;
  const Place place = PlaceOf(key);
  Set& set = place.set;
  const std::lock_guard lock(set.mutex);
  ++set.writes;
  ++set.in_progress;
  const std::size_t way = WayOf(place, key);
  if (way == kWays) return nullptr;
  ++set.hits;
  return std::move(set.ways[way].entry);
}

void EntryCache::EndWrite(std::string_view key, EntryPtr entry) {
  if (!sets_) return;
  const Place place = PlaceOf(key);
  Set& set = place.set;
  const std::lock_guard lock(set.mutex);
  ++set.writes;
  --set.in_progress;
  const std::size_t way = WayOf(place, key);
  if (entry) {
    Keep(place, way, key, std::move(entry));
  } else if (way != kWays) {
    Drop(set, way);
  }
}

std::uint64_t EntryCache::hits() const {
  std::uint64_t hits = 0;
  for (std::uint64_t i = 0; i < count_; ++i) {
    const std::lock_guard lock(sets_[i].mutex);
    hits += sets_[i].hits;
  }
  return hits;
}

}  // namespace holdfast::storage
