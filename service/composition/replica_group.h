// The replicas of one store, and the order in which all of them do the same.
//
// This process alone decides what is written, gives each decision (a batch of rows) the next number, and hands it to
// all replicas. Each applies batches in their order, a batch together with the number in its marker, so a replica is
// always the outcome of all batches up to one. A batch is committed once `write` replicas and the leader have it; only
// then is anything told of it. Nothing is ever undone while the process lives: a batch that too few replicas have is in
// doubt, and nothing is read or decided before it is committed.
//
// A replica that does not answer is away; what it misses waits for it, within bounds. Behind those, or where it is not
// known what it has, it is compared with the leader row by row before it counts again.
//
// A start begins a new term (PlanTerm): which replicas count, and which of them has everything, follows from their
// markers. The others are made the same as that one: what only they have was never acknowledged.
//
// One process: the backends of the replicas have to be such as no other can open (rocksdb, memory). That markers are
// compared at every write (replica_store.h) protects from mistakes, but reads do not ask for it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/time/clock.h"
#include "service/composition/change_relay.h"
#include "service/composition/replica_store.h"
#include "service/storage/replication_status.h"

namespace holdfast::composition {

struct ReplicaOptions {
  std::string store;        // whose marker
  storage::KeyRange range;  // the keys of the store
  std::size_t write_quorum = 2;
  std::size_t read_quorum = 2;
  bool eventual = false;  // the quorums need not meet, and gets may show an earlier state
  // Of one call to a replica; one that takes longer is away.
  std::chrono::milliseconds call_timeout{2'000};
  std::chrono::milliseconds retry_pause{500};        // until one that is away is asked again
  std::chrono::milliseconds start_patience{30'000};  // how long calls wait for the first attempt at a term
  std::size_t queue_operations = 100'000;            // that wait for a replica; with more it is compared
  std::size_t queue_bytes = 64u << 20;
  std::chrono::hours conflict_ttl{720};
  std::size_t max_conflicts = 10'000;             // kept of one comparison; more are counted
  std::chrono::milliseconds compare_interval{0};  // between two rounds of ReplicaPatrol; 0: none
  std::uint64_t compare_rate = 10'000;            // rows a second that it reads of a replica
  // Told of a round of it that found something, and how much of that it mended; from the thread of the patrol.
  std::function<void(std::uint64_t mended, const storage::ReplicaComparisonStatus&)> on_compared;
  // Told of every change of a replica's standing and of the leader, from a thread of the store's.
  std::function<void(const storage::ReplicationStatus&)> on_change;
};

struct NamedReplica {
  std::string name;
  std::shared_ptr<storage::Backend> backend;
};

// Thread-safe.
class ReplicaGroup {
 public:
  // `clock` is that of the backends, and outlives it.
  ReplicaGroup(std::vector<NamedReplica> replicas, ReplicaOptions options, const Clock& clock);
  ~ReplicaGroup() { Stop(); }
  ReplicaGroup(const ReplicaGroup&) = delete;
  ReplicaGroup& operator=(const ReplicaGroup&) = delete;

  // Once, when the replicas tell relay() of their changes.
  void Start();
  // Gives replicas that are up a call's time to apply what waits. Idempotent.
  void Stop();
  ChangeRelay& relay() const { return *relay_; }

  std::size_t size() const { return members_.size(); }
  const SecondaryCopy& rows(std::size_t replica) const { return members_[replica]->store.rows(); }
  storage::Version NextVersion() { return version_.fetch_add(1, std::memory_order_relaxed) + 1; }

  // Waits until nothing is in doubt. kUnavailable when that takes more replicas than there are.
  Status AwaitSettled(const Deadline& deadline);
  // The replicas that have everything that is committed, the leader first; at least `least`, or kUnavailable.
  Result<std::vector<std::size_t>> Readers(std::size_t least, const Deadline& deadline);
  // Behind a read of the replica: waits until everything that it may have shown is committed.
  Status AwaitShown(std::size_t replica, const Deadline& deadline);
  // kUnavailable: nothing was done, since too few replicas are up. Returns the batch's number.
  Result<std::uint64_t> Append(std::vector<storage::Operation> operations);
  // kOutcomeUnknown: too few replicas have it by then.
  Status AwaitCommitted(std::uint64_t sequence, const Deadline& deadline);
  // Waits until every replica that is up has applied everything; one that does not in time is away.
  void AwaitApplied();
  // A read of it failed: it is away until it has answered.
  void Suspect(std::size_t replica, const Error& error);

  void CountDivergence(bool conflict);
  // What keeps an entry that one replica had and the store has not; `by`: the version of what it has, 0 for nothing.
  storage::Operation ConflictRow(const std::string& key, const storage::EntryPtr& lost, storage::Version by) const;
  storage::ReplicationStatus status() const;

 private:
  using Lock = std::unique_lock<std::mutex>;
  using SteadyTime = std::chrono::steady_clock::time_point;
  enum class Standing { kAway, kCatchingUp, kUp };

  struct Member {
    Member(NamedReplica named, std::string_view store_name)
        : name(std::move(named.name)), store(std::move(named.backend), store_name) {}
    const std::string name;
    ReplicaStore store;  // written by the member's thread; by the starting one before that begins
    // Guarded by mutex_:
    Standing standing = Standing::kAway;
    bool whole = false;   // what it has is the outcome of all batches up to `applied`
    bool unsure = false;  // whether the last call did anything
    bool missed = true;   // it lacks batches that do not wait for it any more
    std::uint64_t applied = 0;
    std::uint64_t begun = 0;     // up to which it has been told to apply
    std::uint64_t whole_at = 0;  // it is whole from this batch on
    std::deque<ReplicaBatchPtr> queue;
    std::size_t queued_operations = 0;
    std::size_t queued_bytes = 0;
    std::optional<SteadyTime> calling_since;
    std::optional<SteadyTime> retry_at;
    Timestamp since{};
    std::string reason;
    std::thread thread;
  };

  // replica_terms.cc: of the starting thread, and of a member that has to be compared.
  void Begin();
  Result<TermPlan> BeginTerm();
  void Install(const TermPlan& plan, const std::vector<bool>& promised);
  Status CatchUp(std::size_t index);
  Result<std::size_t> PrepareCopy(std::size_t index, std::uint64_t* from);
  Status FinishCopy(std::size_t index, std::size_t leader, std::uint64_t from);
  void KeepConflict(const std::string& row_key, const storage::Entry& row, const storage::Entry* by, std::size_t* kept);

  // replica_threads.cc: of a member's thread.
  void Run(std::size_t index);
  Status Step(Lock& lock, std::size_t index);
  Status Resync(Lock& lock, Member& member);
  void Rejoin(Member& member);
  static void DropApplied(Member& member);
  Status ApplyWaiting(Lock& lock, std::size_t index);
  std::vector<ReplicaBatchPtr> Take(Member& member) const;
  ReplicaMarker MarkerAt(std::uint64_t sequence, storage::Version version, bool whole) const;
  bool HasWork(const Member& member) const;

  // With mutex_ held:
  std::size_t Up() const;
  void Push(Member& member, const ReplicaBatchPtr& batch);
  void Forget(Member& member);
  void Stand(Member& member, Standing standing, std::string reason);
  void Away(std::size_t index, const Error& error);
  void Advance();
  void ChooseLeader();
  void FindHanging();
  Error TooFew(std::string_view what) const;
  // False at the deadline, and once stopped.
  bool Wait(Lock& lock, const Deadline& deadline, const std::function<bool()>& done);
  storage::ReplicationStatus StatusLocked() const;

  const ReplicaOptions options_;
  const Clock& clock_;
  const std::shared_ptr<ChangeRelay> relay_;
  std::vector<std::unique_ptr<Member>> members_;
  std::atomic<storage::Version> version_{0};
  std::atomic<std::uint64_t> comparisons_{0};
  std::atomic<std::uint64_t> copied_{0};
  std::atomic<std::uint64_t> divergences_{0};
  std::atomic<std::uint64_t> conflicts_{0};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_, as what follows
  std::uint64_t term_ = 0;
  std::string no_term_;  // why there is none
  std::uint64_t sequence_ = 0;
  std::uint64_t committed_ = 0;
  std::uint64_t abandoned_ = 0;  // nobody waits any more for batches up to this one
  std::optional<std::size_t> leader_;
  std::uint64_t leader_changes_ = 0;
  storage::Version history_version_ = 0;  // highest that the source had when the term began
  storage::Version first_version_ = 0;    // all of this term are above
  bool told_ = true;                      // on_change knows
  std::thread starter_;
};

}  // namespace holdfast::composition
