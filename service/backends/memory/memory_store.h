// The memory backend's class, shared by the files that implement it: memory_backend.cc the calls of the contract,
// memory_room.cc what the entries take of max_bytes and who gives way.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "service/backends/memory/eviction.h"
#include "service/backends/memory/memory_backend.h"
#include "service/backends/memory/shard.h"
#include "service/storage/periodic_task.h"

namespace holdfast::storage {

inline constexpr std::size_t kShards = 64;  // a power of two
inline constexpr std::size_t kPackedKeysPerLock = 16;
// What malloc takes for an entry with 100 bytes of value beyond those: its parts, the record, the nodes of the indexes.
inline constexpr std::size_t kEntryOverhead = 320;

// What an entry takes of max_bytes.
std::uint64_t Footprint(std::size_t key_bytes, const Entry& entry, bool packed);

class MemoryBackend : public Backend {
 public:
  MemoryBackend(const MemoryOptions& options, const Clock& clock);
  ~MemoryBackend() override { sweeper_.Stop(); }

  std::string_view kind() const override { return "memory"; }
  Capabilities capabilities() const override;
  const Limits& limits() const override { return options_.limits; }
  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override;
  Result<TransactionResult> Transact(const Transaction& transaction, Deadline deadline) override;
  Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline) override;
  Result<std::unique_ptr<Snapshot>> OpenSnapshot(const KeyRange& range, Deadline deadline) override;
  Result<std::uint64_t> Count(const KeyRange& range, Deadline deadline) override;
  Result<std::uint64_t> DeleteRange(const KeyRange& range, Deadline deadline) override;
  Result<Version> ReserveVersions(std::uint64_t count) override {
    return last_version_.fetch_add(count, std::memory_order_relaxed) + 1;
  }
  Status CheckHealth(Deadline deadline) override;
  void SetChangeListener(std::shared_ptr<ChangeListener> listener) override;
  Statistics statistics() const override;
  Status Close() override;

 private:
  // The shard's lock is held.
  void Tell(std::string_view key, const EntryPtr& before, const EntryPtr& after, ChangeCause cause) const {
    if (ChangeListener* listener = told_.load(std::memory_order_acquire)) {
      listener->OnChange(key, before, after, cause);
    }
  }
  void TellOfRemoval(std::string_view key, const KeptEntry& before, ChangeCause cause) const {
    if (told_.load(std::memory_order_acquire) != nullptr) Tell(key, Plain(before), nullptr, cause);
  }
  bool packs() const { return options_.compression.codec != compression::Codec::kNone; }
  // How many packed values may have to be unpacked for the listener under one hold of a shard's lock.
  std::size_t KeysPerLock() const { return packs() ? kPackedKeysPerLock : kKeysPerLock; }
  // Packs what the operation brings along and unpacks what stands there; no shard is locked.
  void Prepare(const Operation& operation, Packing& packing) const;
  void PrepareKey(const std::string& key, Packing& packing) const;
  // Open, and in time.
  Status CheckCall(Deadline deadline) const;
  void ExecuteGet(const Operation& operation, OperationResult& result);
  void ExecuteWrite(const Operation& operation, OperationResult& result);
  // One attempt. False when there was no room: then nothing changed, and `lacking` is what the write needs. `packing`:
  // null when nothing is ever packed.
  bool TryWrite(const HashedKey& key, const Operation& operation, OperationResult& result, std::int64_t* lacking,
                Packing* packing);
  // One attempt, likewise.
  Result<TransactionResult> TryTransact(const Transaction& transaction, std::int64_t* lacking, Packing* packing);
  // Takes room for the difference between two footprints; false when there is none.
  bool Reserve(std::int64_t difference);
  Error Full() const;
  // Evicts until `needed` more bytes have room. No shard is locked. False when nothing gave way.
  bool MakeRoom(std::int64_t needed);
  // Evicts one entry of the shard, or removes one that has expired; false when none could go.
  bool EvictOne(Shard& shard);
  // The shard's lock is held.
  void Store(Shard& shard, const HashedKey& key, KeptEntry kept);
  EvictionClock Moment() const;
  void NoteUse(const Record& record) const;
  Version NextVersion() { return last_version_.fetch_add(1, std::memory_order_relaxed) + 1; }
  // The entry as it stands, null when absent or expired; the shard's lock is held.
  EntryPtr Live(const Shard& shard, const HashedKey& key, Timestamp now, Packing* packing) const;
  // What the key takes of max_bytes, expired or not; the shard's lock is held.
  static std::int64_t Held(const Shard& shard, const HashedKey& key);
  std::vector<std::unique_lock<ShardLock>> LockShards(const Transaction& transaction);
  std::uint64_t DeleteChunk(Shard& shard, const KeyRange& range, std::string* after, bool* exhausted);
  void Sweep();

  const MemoryOptions options_;
  const Clock& clock_;
  std::shared_ptr<ChangeListener> listener_;  // keeps told_ alive
  std::atomic<ChangeListener*> told_{nullptr};

  std::array<Shard, kShards> shards_;
  std::atomic<Version> last_version_;
  std::atomic<std::int64_t> bytes_{0};
  std::atomic<std::uint64_t> expired_removed_{0};
  std::atomic<std::uint64_t> evicted_{0};
  PackingCounts packed_;
  std::atomic<std::uint64_t> minutes_;              // since 1970, as of the last sweep
  std::atomic<std::size_t> next_to_evict_from_{0};  // shards take turns
  std::atomic<bool> closed_{false};
  PeriodicTask sweeper_;
};

}  // namespace holdfast::storage
