#include <fmt/format.h>

#include "service/backends/memory/memory_store.h"
#include "service/storage/decision.h"

namespace holdfast::storage {
namespace {

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

std::uint64_t Footprint(std::size_t key_bytes, const Entry& entry, bool packed) {
  std::uint64_t bytes =
      kEntryOverhead + key_bytes + KeptValueBytes(entry, packed) + entry.content_type.size() + entry.metadata.size();
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

bool MemoryBackend::EvictOne(Shard& shard) {
  KeptEntry doomed;  // freed after the lock
  std::unique_lock lock(shard.mutex);
  const auto first_expired = shard.FirstExpired(clock_.Now());
  std::string key;
  if (first_expired) {
    key = *first_expired;
  } else if (const std::size_t candidates = shard.candidates(); candidates > 0) {
    const EvictionClock moment = Moment();
    const Record* worst = nullptr;
    std::uint64_t worst_score = 0;
    for (std::size_t i = 0; i < kEvictionSamples; ++i) {
      const Record& record = shard.Candidate(Random() % candidates);
      const std::uint64_t score = EvictionScore(options_.eviction, record, moment);
      if (worst != nullptr && score <= worst_score) continue;
      worst = &record;
      worst_score = score;
    }
    key = worst->key();
  } else {
    return false;
  }
  const HashedKey hashed(key);
  doomed = shard.FindRecord(hashed)->Kept();
  bytes_.fetch_sub(static_cast<std::int64_t>(Footprint(key.size(), *doomed.entry, doomed.packed)),
                   std::memory_order_relaxed);
  shard.Erase(hashed);
  (first_expired ? expired_removed_ : evicted_).fetch_add(1, std::memory_order_relaxed);
  TellOfRemoval(key, doomed, first_expired ? ChangeCause::kExpired : ChangeCause::kEvicted);
  lock.unlock();
  return true;
}

// One shard is locked at a time, and for one entry: a write waits for as many evictions as its bytes need, others wait
// for one.
bool MemoryBackend::MakeRoom(std::int64_t needed) {
  const auto most_bytes = static_cast<std::int64_t>(options_.max_bytes);
  if (options_.eviction == Eviction::kNone || needed > most_bytes) return false;
  bool any = false;
  for (std::size_t fruitless = 0; bytes_.load(std::memory_order_relaxed) > most_bytes - needed;) {
    Shard& shard = shards_[next_to_evict_from_.fetch_add(1, std::memory_order_relaxed) % kShards];
    if (EvictOne(shard)) {
      any = true;
      fruitless = 0;
    } else if (++fruitless == kShards) {
      return any;
    }
  }
  return true;
}

void MemoryBackend::Store(Shard& shard, const HashedKey& key, KeptEntry kept) {
  bool is_new = false;
  Record& record = shard.Store(key, std::move(kept), &is_new);
  if (options_.eviction == Eviction::kNone) return;
  if (is_new) {
    record.use.store(FirstUse(options_.eviction, Moment()), std::memory_order_relaxed);
  } else {
    NoteUse(record);
  }
  if (is_new || options_.eviction == Eviction::kTtl) shard.SetCandidate(record, IsCandidate(options_.eviction, record));
}

}  // namespace holdfast::storage
