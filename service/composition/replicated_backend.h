// A store on several replicas, each in a backend of its own that only this process can open. What is acknowledged is in
// `write_quorum` of them, and is there as long as fewer than that many volumes are lost (replica_group.h says how).
//
// Every write is decided here: under the locks of its keys the current entries are read, the outcome is decided
// (storage/decision.h), with versions of the store's own, and the rows go to all replicas as one batch. So
// preconditions, transactions, locks, fences and recorded answers are as on one backend, and all of one Execute takes
// effect at once.
//
// Gets ask `read_quorum` replicas. Where these have different versions of a key although they have the same batches,
// one of them has lost or changed it: what most have (of a tie, the higher version) is written to all, and the other is
// kept as a conflict. Scans and counts ask the leader.
//
// Errors: kUnavailable when fewer replicas are up than a quorum needs: nothing was done. kOutcomeUnknown when a write
// was begun and too few have said that they have it; no read shows it before enough have.
//
// What no get comes by is compared in the background, where that is asked for (replica_patrol.h). It mends what most
// replicas agree on, or where all have the key the newest version. A key that one half has and the other has not may
// have been lost or deleted: it is left as it is, and counted.
//
// Eventual: the quorums need not meet. Gets ask replicas in turn and take the highest version, which may be an earlier
// state; writes are decided as above, but what was acknowledged may be lost with the replicas that had it, and is then
// kept as a conflict when these come back.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "service/composition/replica_group.h"
#include "service/composition/replica_patrol.h"
#include "service/storage/backend.h"
#include "service/storage/call_gate.h"
#include "service/storage/key_locks.h"

namespace holdfast::composition {

class ReplicatedBackend final : public storage::Backend, public storage::ReplicationView {
 public:
  // `limits`: those of the store; the replicas' own leave room for what a row has beside the value, and for one further
  // operation. `clock` is that of the replicas, and outlives it.
  ReplicatedBackend(std::vector<NamedReplica> replicas, const ReplicaOptions& options, const storage::Limits& limits,
                    const Clock& clock = SystemClock());
  ~ReplicatedBackend() override { Stop(); }

  // Behind SetChangeListener. Calls wait for the first term to begin.
  void Start();
  void Stop() override;
  // One round of the background comparison, now. Not beside Start with an interval.
  void CompareNow() { patrol_.RunRound(); }

  std::string_view kind() const override { return "replicated"; }
  storage::Capabilities capabilities() const override;
  const storage::Limits& limits() const override { return limits_; }
  void Execute(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override;
  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override;
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override;
  Result<std::uint64_t> Count(const storage::KeyRange& range, Deadline deadline) override;
  Result<std::uint64_t> DeleteRange(const storage::KeyRange& range, Deadline deadline) override;
  Status CheckHealth(Deadline deadline) override;
  // Of the leader.
  storage::Statistics statistics() const override;
  // Has the replicas tell it through the group.
  void SetChangeListener(std::shared_ptr<storage::ChangeListener> listener) override;
  // Closes the replicas as well.
  Status Close() override;

  storage::ReplicationStatus status() const override;
  Result<storage::FailoverConflicts> Conflicts(const storage::KeyRange& keys, std::size_t most,
                                               Deadline deadline) override;

 private:
  using Entries = std::vector<storage::EntryPtr>;
  using Keys = std::span<const std::string>;
  struct Row {
    storage::EntryPtr entry;  // null: none
    bool damaged = false;
  };
  using Rows = std::vector<Row>;
  enum class Held { kNo, kYes };  // whether the caller has the keys' locks

  // replicated_reads.cc:
  Result<Entries> Read(Keys keys, Held held, const Deadline& deadline);
  Result<Entries> ReadEarlier(std::span<const storage::Operation> gets, const Deadline& deadline);
  Result<Rows> ReadRows(std::size_t replica, Keys keys, const Deadline& deadline);
  // How a key is decided of which no majority has the same.
  struct Undecided {
    bool left = false;              // the key stays, unless the newest version is what it can only be
    storage::Version until = 0;     // left as well when there is something younger
    MendedKeys* counted = nullptr;  // what was found is added
  };
  Status Repair(Keys keys, const Undecided& undecided, const Deadline& deadline);
  Result<MendedKeys> MendFound(const std::vector<std::string>& keys, storage::Version until);
  // What all replicas are to have under a key, when they have not the same.
  void MendKey(const std::string& key, const std::vector<Row>& had, const Undecided& undecided,
               std::vector<storage::Operation>* writes);
  Result<storage::ScanPage> Page(const storage::ScanRequest& request, const Deadline& deadline);
  template <typename Ask>
  auto AskLeader(const Ask& ask, const Deadline& deadline)
      -> decltype(ask(std::declval<const SecondaryCopy&>(), deadline));

  void Get(std::span<const storage::Operation> gets, std::span<storage::OperationResult> results,
           const Deadline& deadline);
  void ExecuteValid(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
                    const Deadline& deadline);
  void Write(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
             const Deadline& deadline);
  Status Commit(const std::map<std::string, storage::EntryPtr, std::less<>>& changes, const Deadline& deadline);
  storage::KeyLocks::Held Lock(Keys keys);
  Deadline Bounded(const Deadline& deadline) const { return deadline.Sooner(Deadline::After(options_.call_timeout)); }

  const ReplicaOptions options_;
  const storage::Limits limits_;
  const Clock& clock_;
  const std::vector<std::shared_ptr<storage::Backend>> replicas_;
  storage::CallGate gate_{"replicated"};
  storage::KeyLocks locks_;
  std::atomic<std::size_t> turn_{0};  // of eventual gets
  ReplicaGroup group_;
  ReplicaPatrol patrol_;  // last: its thread ends first
};

}  // namespace holdfast::composition
