#include <fmt/format.h>

#include <limits>

#include "service/backends/memory/memory_store.h"
#include "service/storage/decision.h"

namespace holdfast::storage {
namespace {

constexpr std::size_t kPlacesPerSample = 256;  // of a shard's table, before the next shard is tried

// Uniform enough for sampling, and a few instructions (Marsaglia's xorshift64*).
std::uint64_t Random() {
  static std::atomic<std::uint64_t> seeds{1};
  static thread_local std::uint64_t state = 0x9E3779B97F4A7C15ULL * seeds.fetch_add(1, std::memory_order_relaxed);
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545F4914F6CDD1DULL;
}

}  // namespace

std::uint64_t Footprint(std::size_t key_bytes, const Entry& entry) {
  std::uint64_t bytes =
      kEntryOverhead + key_bytes + entry.value.size() + entry.content_type.size() + entry.metadata.size();
  for (const std::string& tag : entry.tags) bytes += sizeof(std::string) + tag.size();
  return bytes;
}

bool MemoryBackend::Reserve(std::int64_t difference) {
  const std::int64_t after = bytes_.fetch_add(difference, std::memory_order_relaxed) + difference;
  if (difference <= 0 || options_.max_bytes == 0 || static_cast<std::uint64_t>(after) <= options_.max_bytes) {
    return true;
  }
  bytes_.fetch_sub(difference, std::memory_order_relaxed);
  return false;
}

Error MemoryBackend::Full() const {
  return {ErrorCode::kResourceExhausted,
          fmt::format("the memory backend is full, max_bytes is {}{}: delete entries or raise the limit",
                      options_.max_bytes,
                      options_.eviction == Eviction::kNone ? "" : " and nothing is left that may be evicted")};
}

EvictionClock MemoryBackend::Moment() const {
  return {last_version_.load(std::memory_order_relaxed), minutes_.load(std::memory_order_relaxed)};
}

void MemoryBackend::NoteUse(const Record& record) const {
  if (options_.eviction != Eviction::kLru && options_.eviction != Eviction::kLfu) return;
  const std::uint64_t before = record.use.load(std::memory_order_relaxed);
  const std::uint64_t random = options_.eviction == Eviction::kLfu ? Random() : 0;
  const std::uint64_t after = NextUse(options_.eviction, before, Moment(), random);
  // A use lost between two readers does no harm; a write to a line that others read would.
  if (after != before) record.use.store(after, std::memory_order_relaxed);
}

bool MemoryBackend::EvictOne(Shard& shard, std::size_t most) {
  EntryPtr doomed;  // freed after the lock
  std::unique_lock lock(shard.mutex);
  const Timestamp now = clock_.Now();
  const EvictionClock moment = Moment();
  const Record* worst = nullptr;
  bool expired = false;
  std::uint64_t worst_score = 0;
  std::size_t candidates = 0;
  shard.Sample(Random(), most, [&](const Record& record) {
    expired = record.expires_at <= now;
    if (expired) {
      worst = &record;
      return false;
    }
    if (!IsCandidate(options_.eviction, record)) return true;
    const std::uint64_t score = EvictionScore(options_.eviction, record, moment);
    if (worst == nullptr || score > worst_score) {
      worst = &record;
      worst_score = score;
    }
    return ++candidates < kEvictionSamples;
  });
  if (worst == nullptr) return false;
  const std::string key(worst->key());
  doomed = worst->entry;
  bytes_.fetch_sub(static_cast<std::int64_t>(Footprint(key.size(), *doomed)), std::memory_order_relaxed);
  shard.Erase(HashedKey(key));
  (expired ? expired_removed_ : evicted_).fetch_add(1, std::memory_order_relaxed);
  Tell(key, doomed, nullptr, expired ? ChangeCause::kExpired : ChangeCause::kEvicted);
  lock.unlock();
  return true;
}

bool MemoryBackend::MakeRoom(std::int64_t needed) {
  const auto most_bytes = static_cast<std::int64_t>(options_.max_bytes);
  if (options_.eviction == Eviction::kNone || needed > most_bytes) return false;
  bool any = false;
  bool thorough = false;  // after a round of samples without a candidate, whole shards are looked through
  for (std::size_t fruitless = 0; bytes_.load(std::memory_order_relaxed) > most_bytes - needed;) {
    Shard& shard = shards_[next_to_evict_from_.fetch_add(1, std::memory_order_relaxed) % kShards];
    if (EvictOne(shard, thorough ? std::numeric_limits<std::size_t>::max() : kPlacesPerSample)) {
      any = true;
      fruitless = 0;
    } else if (++fruitless == kShards) {
      if (thorough) return any;
      thorough = true;
      fruitless = 0;
    }
  }
  return true;
}

void MemoryBackend::Store(Shard& shard, const HashedKey& key, EntryPtr entry) {
  bool is_new = false;
  Record& record = shard.Store(key, std::move(entry), &is_new);
  if (options_.eviction == Eviction::kNone) return;
  if (is_new) {
    record.evictable = IsEvictable(key.key);
    record.use.store(FirstUse(options_.eviction, Moment()), std::memory_order_relaxed);
  } else {
    NoteUse(record);
  }
}

}  // namespace holdfast::storage
