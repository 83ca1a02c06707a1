// A store with a cache in front: any backend over any other. Gets are answered from copies where those cannot be wrong,
// else by the system of record, which leaves a copy (cache-aside); many who miss one key read once (flights.h). Writes
// go through to the system of record before they are acknowledged, and so do transactions, compare-and-swap, locks,
// scans and counts; a write leaves a copy of what it wrote. Nobody waits for a copy to be kept, except in this process.
//
// Versions, durability, atomicity and limits are those of the system of record. The cache may be slow, fail, be flushed
// or be killed at any time: copies are judged by what this process knows (stamps.h), and a cache that does not answer
// within its timeout has none. What is not there is remembered as well, for a shorter time. Which copies give way when
// the cache is full is the cache backend's to decide (its `eviction`).
//
// Who may be answered from a copy depends on who writes to the system of record. Only this process (RocksDB, memory):
// everybody, since every change is heard of before it is acknowledged. Others, too (`shared`): only eventual reads, and
// only while the change feed is certain to be no more than max_staleness behind (freshness.h).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "base/time/clock.h"
#include "service/composition/copies.h"
#include "service/composition/freshness.h"
#include "service/composition/promotion.h"
#include "service/composition/quarantine.h"
#include "service/composition/stamps.h"
#include "service/composition/tiered_reader.h"
#include "service/storage/cache_warming.h"
#include "service/storage/change_listener.h"
#include "service/storage/forwarding_backend.h"

namespace holdfast::composition {

struct TieredOptions {
  CopyOptions copies;
  // A change of one key makes the copies of one in so many others useless; eight bytes each. A power of two.
  std::size_t stripes = std::size_t{1} << 17;
  // Other processes keep copies in the same cache: each has keys of its own there, since it can judge its own copies
  // only.
  bool cache_shared = false;
  // Other processes write to the system of record as well.
  bool shared = false;
  // Then: how old an answer from a copy may be at most.
  std::chrono::microseconds max_staleness = std::chrono::seconds{2};
  // Then: for so long a write of unknown fate may yet take effect.
  std::chrono::microseconds unknown_time = std::chrono::seconds{60};
};

class TieredBackend final : public storage::ForwardingBackend, public storage::CacheWarmer {
 public:
  // `clock` is the one that the system of record goes by, and outlives the backend.
  TieredBackend(std::shared_ptr<storage::Backend> cache, std::shared_ptr<storage::Backend> record,
                const TieredOptions& options, const Clock& clock = SystemClock());

  std::string_view kind() const override { return "tiered"; }
  storage::Capabilities capabilities() const override;
  void Execute(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override;
  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override;
  Result<std::uint64_t> DeleteRange(const storage::KeyRange& range, Deadline deadline) override;
  // With others writing, kUnavailable while the change feed is not certain. Counts for neither hits nor misses.
  Result<storage::WarmReport> Warm(const storage::KeyRange& range, const storage::WarmLimits& limits,
                                   Deadline deadline) override;
  // Hits and misses are those of the copies.
  storage::Statistics statistics() const override;
  // Has the system of record tell the copies first. Without a listener as well this is to be called once, unless
  // listener() is told.
  void SetChangeListener(std::shared_ptr<storage::ChangeListener> listener) override;
  // Closes the cache as well.
  Status Close() override;

  // Has to hear of every change of the system of record, and before others do. For who gives that a listener itself.
  std::shared_ptr<storage::ChangeListener> listener() const { return listener_; }
  TieredStatistics tiered_statistics() const { return reader_.statistics(); }
  // Copies for which there was no room on their way to the cache.
  std::uint64_t dropped_copies() const { return promotion_ ? promotion_->dropped() : 0; }
  // How old answers from copies are at most, as of now; 0 where they are never old. Above max_staleness none are given.
  std::chrono::microseconds staleness() const {
    return freshness_ ? freshness_->Staleness() : std::chrono::microseconds{};
  }
  // Of the copies, those that no longer count included.
  storage::Statistics cache_statistics() const { return copies_.cache().statistics(); }

 private:
  class Write;
  class Invalidator;

  // Whether copies may answer all of these gets.
  bool MayCopy(std::span<const storage::Operation> gets) const;
  void Finish(Write& write, bool unknown, const Deadline& deadline);
  // One page of the range behind `report`; what it had is added there.
  Status WarmPage(const storage::KeyRange& range, const storage::WarmLimits& limits, storage::WarmReport* report,
                  const Deadline& deadline);
  // False when the backend was closed meanwhile.
  bool Pause(MonotonicTime until);
  // At once where the cache is in this process, else on the way.
  void Keep(const std::vector<Copies::New>& copies, const Deadline& deadline);

  const std::shared_ptr<Stamps> stamps_;  // shared with the listener, which the system of record may keep for longer
  const Copies copies_;
  const std::shared_ptr<storage::ChangeListener> listener_;
  TieredReader reader_;
  Quarantine quarantine_;
  std::atomic<bool> closed_{false};
  std::mutex warming_mutex_;
  std::condition_variable warming_ends_;
  std::optional<Promotion> promotion_;  // where the cache takes its time
  std::optional<Freshness> freshness_;  // when shared; last: its thread ends first
};

}  // namespace holdfast::composition
