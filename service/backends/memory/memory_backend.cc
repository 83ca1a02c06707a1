#include "service/backends/memory/memory_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <shared_mutex>

#include "service/backends/memory/memory_snapshot.h"
#include "service/backends/memory/memory_store.h"
#include "service/backends/memory/shard_merge.h"
#include "service/storage/decision.h"

namespace holdfast::storage {
namespace {

constexpr int kEvictionAttempts = 16;

std::uint64_t MinutesOf(Timestamp time) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::minutes>(time.time_since_epoch()).count());
}

std::size_t ShardOf(const HashedKey& key) {
  // The hash table inside the shard uses the low bits and the highest 16.
  return (key.hash >> 36) % kShards;
}

std::int64_t FootprintOf(const Record& record) {
  return static_cast<std::int64_t>(Footprint(record.key_bytes, *record.entry, record.packed != 0));
}

// `packing` is there where anything can be packed.
EntryPtr PlainOf(const Record& record, Packing* packing) {
  return packing == nullptr ? record.entry : packing->Plain(record.Kept());
}

KeptEntry Keep(const EntryPtr& entry, const Packing* packing) {
  return packing == nullptr ? KeptEntry{entry} : packing->Keep(entry);
}

}  // namespace

MemoryBackend::MemoryBackend(const MemoryOptions& options, const Clock& clock)
    : options_(options),
      clock_(clock),
      last_version_(static_cast<Version>(clock.Now().time_since_epoch().count()) * 1000),
      minutes_(MinutesOf(clock.Now())),
      sweeper_(kMemorySweepInterval, [this] { Sweep(); }) {}

Capabilities MemoryBackend::capabilities() const {
  Capabilities capabilities;
  capabilities.transactions = true;
  capabilities.inline_reads = true;
  capabilities.inline_writes = !packs();  // packing a large value takes longer than others may wait for the thread
  capabilities.snapshots = SnapshotConsistency::kPointInTime;
  capabilities.reserves_versions = true;
  capabilities.fencing_survives_failover = false;
  capabilities.durability = "memory";
  return capabilities;
}

void MemoryBackend::SetChangeListener(std::shared_ptr<ChangeListener> listener) {
  // The sweeper runs already. Once every shard has been locked nobody tells the listener before this one any more.
  told_.store(listener.get(), std::memory_order_release);
  for (Shard& shard : shards_) std::unique_lock lock(shard.mutex);
  listener_ = std::move(listener);
}

Status MemoryBackend::CheckCall(Deadline deadline) const {
  if (closed_.load(std::memory_order_acquire)) return Error(ErrorCode::kUnavailable, "the memory backend is closed");
  if (deadline.Expired()) {
    return Error(ErrorCode::kDeadlineExceeded, "the deadline passed before anything was attempted");
  }
  return {};
}

EntryPtr MemoryBackend::Live(const Shard& shard, const HashedKey& key, Timestamp now, Packing* packing) const {
  const Record* record = shard.FindRecord(key);
  return record != nullptr && !IsExpired(*record->entry, now) ? PlainOf(*record, packing) : nullptr;
}

std::int64_t MemoryBackend::Held(const Shard& shard, const HashedKey& key) {
  const Record* record = shard.FindRecord(key);
  return record == nullptr ? 0 : FootprintOf(*record);
}

void MemoryBackend::PrepareKey(const std::string& key, Packing& packing) const {
  const HashedKey hashed(key);
  const Shard& shard = shards_[ShardOf(hashed)];
  KeptEntry seen;
  {
    std::shared_lock lock(shard.mutex);
    const Record* record = shard.FindRecord(hashed);
    if (record != nullptr && record->packed != 0) seen = record->Kept();
  }
  if (seen.packed) static_cast<void>(packing.Plain(seen));
}

void MemoryBackend::Prepare(const Operation& operation, Packing& packing) const {
  packing.Prepare(operation);
  PrepareKey(operation.key, packing);
}

void MemoryBackend::Execute(std::span<const Operation> operations, std::span<OperationResult> results,
                            Deadline deadline) {
  Status status = CheckCall(deadline);
  if (status.ok() && operations.size() > 1) status = ValidateBatch(operations.size(), options_.limits);
  if (!status.ok()) {
    FailAll(results, status.error());
    return;
  }
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const Operation& operation = operations[i];
    Status valid = Validate(operation, options_.limits);
    if (!valid.ok()) {
      results[i] = OperationResult{};
      results[i].status = std::move(valid);
    } else if (operation.kind == OperationKind::kGet) {
      ExecuteGet(operation, results[i]);
    } else {
      ExecuteWrite(operation, results[i]);
    }
  }
}

void MemoryBackend::ExecuteGet(const Operation& operation, OperationResult& result) {
  const HashedKey key(operation.key);
  const Shard& shard = shards_[ShardOf(key)];
  EntryPtr entry;
  bool packed = false;
  shard.mutex.lock_shared();
  const Record* record = shard.FindRecord(key);
  // The clock costs as much as the look-up, so only entries that can expire ask it.
  if (record != nullptr && (record->expires_at == Timestamp::max() || record->expires_at > clock_.Now())) {
    entry = record->entry;
    packed = record->packed != 0;
    NoteUse(*record);
  }
  shard.mutex.UnlockShared(/*hit=*/entry != nullptr);
  if (packed) [[unlikely]] {
    entry = Plain({std::move(entry), true});
  }
  DecideGet(operation, std::move(entry), result);
}

void MemoryBackend::ExecuteWrite(const Operation& operation, OperationResult& result) {
  const HashedKey key(operation.key);
  std::int64_t lacking = 0;
  std::optional<Packing> packing;
  if (packs()) Prepare(operation, packing.emplace(options_.compression, packed_));
  Packing* const prepared = packing ? &*packing : nullptr;
  for (int attempt = 0; !TryWrite(key, operation, result, &lacking, prepared); ++attempt) {
    // Others may take what was made room for; not for ever.
    if (attempt < kEvictionAttempts && MakeRoom(lacking)) continue;
    result = OperationResult{};
    result.status = Full();
    return;
  }
}

bool MemoryBackend::TryWrite(const HashedKey& key, const Operation& operation, OperationResult& result,
                             std::int64_t* lacking, Packing* packing) {
  Shard& shard = shards_[ShardOf(key)];
  EntryPtr replaced;  // released after the lock: freeing a large value takes its time
  std::unique_lock lock(shard.mutex);
  const Timestamp now = clock_.Now();
  const Record* record = shard.FindRecord(key);
  if (record != nullptr) replaced = PlainOf(*record, packing);
  const EntryPtr current = replaced && !IsExpired(*replaced, now) ? replaced : nullptr;
  Decision decision = Decide(operation, current, NextVersion(), now, result);
  if (decision.change == Change::kNone) {
    lock.unlock();
    return true;
  }
  const std::int64_t held = record != nullptr ? FootprintOf(*record) : 0;
  if (decision.change == Change::kErase) {
    bytes_.fetch_sub(held, std::memory_order_relaxed);
    shard.Erase(key);
    Tell(key.key, replaced, nullptr, ChangeCause::kOperation);
  } else {
    KeptEntry kept = Keep(decision.entry, packing);
    *lacking = static_cast<std::int64_t>(Footprint(key.key.size(), *kept.entry, kept.packed)) - held;
    if (!Reserve(*lacking)) return false;
    Store(shard, key, std::move(kept));
    Tell(key.key, replaced, decision.entry, ChangeCause::kOperation);
  }
  lock.unlock();
  return true;
}

std::vector<std::unique_lock<ShardLock>> MemoryBackend::LockShards(const Transaction& transaction) {
  std::vector<std::size_t> indexes;
  for (const Condition& condition : transaction.conditions) indexes.push_back(ShardOf(HashedKey(condition.key)));
  for (const Operation& operation : transaction.then) indexes.push_back(ShardOf(HashedKey(operation.key)));
  for (const Operation& operation : transaction.otherwise) indexes.push_back(ShardOf(HashedKey(operation.key)));
  std::sort(indexes.begin(), indexes.end());
  indexes.erase(std::unique(indexes.begin(), indexes.end()), indexes.end());
  std::vector<std::unique_lock<ShardLock>> locks;
  locks.reserve(indexes.size());
  // Always in rising order: two transactions cannot wait for each other.
  for (const std::size_t index : indexes) locks.emplace_back(shards_[index].mutex);
  return locks;
}

Result<TransactionResult> MemoryBackend::Transact(const Transaction& transaction, Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(CheckCall(deadline));
  HOLDFAST_RETURN_IF_ERROR(Validate(transaction, options_.limits));
  std::int64_t lacking = 0;
  std::optional<Packing> packing;
  if (packs()) {
    packing.emplace(options_.compression, packed_);
    for (const Condition& condition : transaction.conditions) PrepareKey(condition.key, *packing);
    for (const Operation& operation : transaction.then) Prepare(operation, *packing);
    for (const Operation& operation : transaction.otherwise) Prepare(operation, *packing);
  }
  for (int attempt = 0;; ++attempt) {
    Result<TransactionResult> result = TryTransact(transaction, &lacking, packing ? &*packing : nullptr);
    const bool full = !result.ok() && result.error().code() == ErrorCode::kResourceExhausted;
    if (!full || attempt == kEvictionAttempts || !MakeRoom(lacking)) return result;
  }
}

Result<TransactionResult> MemoryBackend::TryTransact(const Transaction& transaction, std::int64_t* lacking,
                                                     Packing* packing) {
  const auto locks = LockShards(transaction);
  const Timestamp now = clock_.Now();
  HOLDFAST_ASSIGN_OR_RETURN(TransactionDecision decision, DecideTransaction(
                                                              transaction,
                                                              [&](const std::string& key) -> Result<EntryPtr> {
                                                                const HashedKey hashed(key);
                                                                return Live(shards_[ShardOf(hashed)], hashed, now,
                                                                            packing);
                                                              },
                                                              [this] { return NextVersion(); }, now));
  *lacking = 0;
  std::vector<KeptEntry> kept;
  kept.reserve(decision.changes.size());
  for (const auto& [key, entry] : decision.changes) {
    const HashedKey hashed(key);
    *lacking -= Held(shards_[ShardOf(hashed)], hashed);
    kept.push_back(entry ? Keep(entry, packing) : KeptEntry{});
    if (!entry) continue;
    *lacking += static_cast<std::int64_t>(Footprint(key.size(), *kept.back().entry, kept.back().packed));
  }
  if (!Reserve(*lacking)) return Full();
  auto next = kept.begin();
  for (auto& [key, entry] : decision.changes) {
    const HashedKey hashed(key);
    Shard& shard = shards_[ShardOf(hashed)];
    const Record* found = shard.FindRecord(hashed);
    const EntryPtr before = found != nullptr ? PlainOf(*found, packing) : nullptr;
    KeptEntry after = std::move(*next++);
    if (entry) {
      Store(shard, hashed, std::move(after));
    } else {
      shard.Erase(hashed);
    }
    if (before || entry) Tell(key, before, entry, ChangeCause::kOperation);
  }
  return std::move(decision.result);
}

Result<ScanPage> MemoryBackend::Scan(const ScanRequest& request, Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(CheckCall(deadline));
  HOLDFAST_RETURN_IF_ERROR(Validate(request));
  return MergeShards(shards_, request, options_.limits, clock_.Now(), deadline);
}

Result<std::unique_ptr<Snapshot>> MemoryBackend::OpenSnapshot(const KeyRange& range, Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(CheckCall(deadline));
  return OpenMemorySnapshot(shards_, range, clock_, closed_);
}

Result<std::uint64_t> MemoryBackend::Count(const KeyRange& range, Deadline deadline) {
  const Timestamp now = clock_.Now();
  const bool everything = range.start.empty() && !range.end;
  std::uint64_t count = 0;
  for (const Shard& shard : shards_) {
    std::optional<std::string> after;
    for (bool exhausted = false; !exhausted;) {
      HOLDFAST_RETURN_IF_ERROR(CheckCall(deadline));
      std::shared_lock lock(shard.mutex);
      if (everything && !after && !shard.has_expiring()) {
        count += shard.size();
        break;
      }
      std::optional<std::string_view> last;
      exhausted = shard.Walk(range, false, after, kKeysPerLock, [&](const Record& record) {
        last = record.key();
        if (!IsExpired(*record.entry, now)) ++count;
        return true;
      });
      if (last) after = std::string(*last);
    }
  }
  return count;
}

std::uint64_t MemoryBackend::DeleteChunk(Shard& shard, const KeyRange& range, std::string* after, bool* exhausted) {
  const Timestamp now = clock_.Now();
  const std::optional<std::string> behind = after->empty() ? std::nullopt : std::optional(*after);
  std::vector<std::pair<std::string, KeptEntry>> doomed;  // freed after the lock
  std::uint64_t deleted = 0;
  std::unique_lock lock(shard.mutex);
  *exhausted = shard.Walk(range, false, behind, KeysPerLock(), [&](const Record& record) {
    *after = record.key();
    if (!IsExpired(*record.entry, now)) doomed.emplace_back(record.key(), record.Kept());
    return true;
  });
  for (const auto& [key, kept] : doomed) {
    bytes_.fetch_sub(static_cast<std::int64_t>(Footprint(key.size(), *kept.entry, kept.packed)),
                     std::memory_order_relaxed);
    shard.Erase(HashedKey(key));
    TellOfRemoval(key, kept, ChangeCause::kOperation);
    ++deleted;
  }
  lock.unlock();
  return deleted;
}

Result<std::uint64_t> MemoryBackend::DeleteRange(const KeyRange& range, Deadline deadline) {
  std::uint64_t deleted = 0;
  for (Shard& shard : shards_) {
    std::string after;
    for (bool exhausted = false; !exhausted;) {
      Status status = CheckCall(deadline);
      if (!status.ok() && deleted > 0) {
        return Error(ErrorCode::kOutcomeUnknown,
                     fmt::format("{} entries were deleted, others may remain: {}", deleted, status.error().message()));
      }
      HOLDFAST_RETURN_IF_ERROR(std::move(status));
      deleted += DeleteChunk(shard, range, &after, &exhausted);
    }
  }
  return deleted;
}

void MemoryBackend::Sweep() {
  const Timestamp now = clock_.Now();
  minutes_.store(MinutesOf(now), std::memory_order_relaxed);
  for (Shard& shard : shards_) {
    {
      std::shared_lock lock(shard.mutex);
      if (!shard.has_expiring()) continue;
    }
    for (bool more = true; more && !closed_.load(std::memory_order_acquire);) {
      std::vector<KeptEntry> doomed;  // freed after the lock
      std::unique_lock lock(shard.mutex);
      const std::vector<std::string> keys = shard.Expired(now, KeysPerLock());
      for (const std::string& key : keys) {
        const HashedKey hashed(key);
        doomed.push_back(shard.FindRecord(hashed)->Kept());
        bytes_.fetch_sub(Held(shard, hashed), std::memory_order_relaxed);
        shard.Erase(hashed);
        TellOfRemoval(key, doomed.back(), ChangeCause::kExpired);
      }
      lock.unlock();
      expired_removed_.fetch_add(keys.size(), std::memory_order_relaxed);
      more = keys.size() == KeysPerLock();
    }
  }
}

Status MemoryBackend::CheckHealth(Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(CheckCall(deadline));
  if (options_.eviction != Eviction::kNone) return {};  // being full is its normal state
  if (!Reserve(kEntryOverhead)) return Full();
  bytes_.fetch_sub(kEntryOverhead, std::memory_order_relaxed);
  return {};
}

Statistics MemoryBackend::statistics() const {
  Statistics statistics;
  for (const Shard& shard : shards_) {
    std::shared_lock lock(shard.mutex);
    statistics.entries += shard.size();
    statistics.cache_hits += shard.mutex.hits();
    statistics.cache_misses += shard.mutex.misses();
  }
  statistics.bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(bytes_.load(std::memory_order_relaxed), 0));
  statistics.expired_removed = expired_removed_.load(std::memory_order_relaxed);
  statistics.evicted = evicted_.load(std::memory_order_relaxed);
  statistics.uncompressed_bytes = packed_.before.load(std::memory_order_relaxed);
  statistics.compressed_bytes = packed_.after.load(std::memory_order_relaxed);
  return statistics;
}

Status MemoryBackend::Close() {
  closed_.store(true, std::memory_order_release);
  sweeper_.Stop();
  for (Shard& shard : shards_) {
    std::unique_lock lock(shard.mutex);
    shard.Clear();
  }
  bytes_.store(0, std::memory_order_relaxed);
  return {};
}

std::unique_ptr<Backend> MakeMemoryBackend(const MemoryOptions& options, const Clock& clock) {
  return std::make_unique<MemoryBackend>(options, clock);
}

}  // namespace holdfast::storage
