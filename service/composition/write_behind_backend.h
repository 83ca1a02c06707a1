// A store whose writes are acknowledged when they are in a durable queue, and come to the system of record behind that:
// at once, one by one (behind), or after a while in which several writes of a key become one (back).
//
// Queued are puts and deletes of plain keys without preconditions. All else that writes (preconditions, take, touch,
// increment, transactions, locks, documents, deletes of a range) goes to the system of record, when what is queued of
// its keys is there; so do scans and counts, but for eventual ones, which may miss what is queued. A get of a key with
// queued writes is answered by the newest of them.
//
// Durability: an acknowledged write survives what the queue's backend survives; capabilities().durable_ack is false
// unless both have it. Whoever watches hears of a write when the system of record has it, and a quota counts it then.
//
// Versions. Where only this process writes to the system of record and that can reserve versions (RocksDB, memory),
// the version that is acknowledged is the one that the entry has for ever, and a write that is taken is always brought.
// Elsewhere (PostgreSQL) versions of queued writes lie in a range of their own above all others (kSecondaryVersions),
// which this queue never gives twice (secondary_versions.h), and are replaced by the system of record's when it has the
// write: the ETag changes once, and order does not hold across that (capabilities().versions_final is false). A
// precondition on such a version still holds afterwards, in the process that gave it and for the last kRemembered keys,
// until the key is written again. A write that somebody else overtook loses (write_drain.h).
//
// The system of record away: gets of other keys than those that are queued or cached fail; what is queued goes on,
// until the queue is full. Whether the key existed is not known then: a put says it did not.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "service/composition/secondary_versions.h"
#include "service/composition/write_drain.h"
#include "service/composition/write_queue.h"
#include "service/storage/forwarding_backend.h"
#include "service/storage/key_locks.h"
#include "service/storage/write_queue_status.h"

namespace holdfast::composition {

struct WriteBehindOptions {
  WriteQueueOptions queue;
  DrainOptions drain;
  // How long a write waits to hear what stands under its key, where it can do without knowing.
  std::chrono::milliseconds lookup_timeout{250};
  bool takes = true;  // false: what waits is brought and nothing new is queued, so that the queue can be left
};

class WriteBehindBackend final : public storage::ForwardingBackend, public storage::WriteQueueView {
 public:
  static constexpr std::size_t kRemembered = 10'000;

  // `record` is asked for everything (its cache is in front of it); `queue` is this store's alone or others keep away
  // from its rows. `clock` is the one that the record goes by, and outlives it.
  WriteBehindBackend(std::shared_ptr<storage::Backend> record, std::shared_ptr<storage::Backend> queue,
                     WriteBehindOptions options, const Clock& clock = SystemClock());

  Status Start(Deadline deadline) override;
  void Stop(Deadline deadline) override { drain_.Stop(deadline); }

  storage::Capabilities capabilities() const override;
  void Execute(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override;
  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override;
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override;
  Result<std::uint64_t> Count(const storage::KeyRange& range, Deadline deadline) override;
  Result<std::uint64_t> DeleteRange(const storage::KeyRange& range, Deadline deadline) override;
  // Waits like Scan until what is queued has left.
  Result<std::unique_ptr<storage::Snapshot>> OpenSnapshot(const storage::KeyRange& range, Deadline deadline) override;
  // With what is queued; an entry that is replaced by a queued write counts twice until that has left.
  storage::Statistics statistics() const override;
  // Brings nothing more, and closes the queue's backend as well.
  Status Close() override;

  storage::WriteQueueStatus status() const override;
  Result<storage::FailoverConflicts> Conflicts(const storage::KeyRange& keys, std::size_t most,
                                               Deadline deadline) const override;

 private:
  using Operations = std::span<const storage::Operation>;
  using Results = std::span<storage::OperationResult>;
  struct Known;
  using KnownKeys = std::map<std::string, Known, std::less<>>;

  void Get(Operations gets, Results results, const Deadline& deadline);
  // Puts, deletes and gets of the keys that those write, into the queue.
  void Take(Operations operations, Results results, const Deadline& deadline);
  Status TakeAll(Operations operations, Results results, const Deadline& deadline);
  Status Look(KnownKeys& known, const Deadline& deadline);
  // Decides all; what is to be queued.
  Result<std::vector<WriteQueue::New>> DecideAll(Operations operations, Results results, KnownKeys& known,
                                                 const Deadline& deadline);
  // Everything else, in the system of record.
  void Direct(Operations operations, Results results, const Deadline& deadline);
  // Until nothing is queued of the keys, which stay locked.
  Result<storage::KeyLocks::Held> LockDrained(std::span<const std::string_view> keys, const Deadline& deadline);

  // For the queue to get shorter: what the system of record will not take soon nobody waits for.
  Deadline Patience(const Deadline& deadline) const {
    return drain_.away() ? deadline.Sooner(Deadline::After(options_.lookup_timeout)) : deadline;
  }

  void Remember(const QueuedWrite& write, storage::Version version);
  storage::Precondition Translated(const std::string& key, storage::Precondition precondition) const;

  const bool exact_;
  const WriteBehindOptions options_;
  const Clock& clock_;
  WriteQueue queue_;
  SecondaryVersions versions_;
  storage::KeyLocks locks_;
  std::shared_mutex ranges_;  // shared: a write is being queued
  std::atomic<bool> closed_{false};
  std::atomic<std::int64_t> ask_again_{0};  // when the record is asked again what stands there; steady clock

  mutable std::mutex mutex_;
  // Of the last writes that were brought, by key: the version that was acknowledged, and the one it has. Guarded by
  // mutex_.
  std::map<std::string, std::pair<storage::Version, storage::Version>, std::less<>> brought_;
  std::deque<std::string> brought_order_;

  WriteDrain drain_;  // last: its thread ends first
};

}  // namespace holdfast::composition
