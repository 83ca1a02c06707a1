// The storage contract. A Backend keeps entries under keys: synchronous, thread-safe, byte-oriented, batch-first.
//
// Thread safety: every method may be called from any thread at any time until Close.
//
// Atomicity: each operation of an Execute is atomic on its own and gets its own result; operations on the same key in
// one Execute take effect in their order. Transact is all or nothing and serialisable. A Scan page is no snapshot: each
// entry is one that stood there at some moment of the call, no key comes twice, and a key that was there throughout is
// never missed. A scan with a filter may leave out what does not match (scan_filter.h).
//
// Durability at return: capabilities().durable_ack says whether an operation that returned ok survives a crash of the
// process and of the machine. Where it is false, docs/architecture.md says how much may be lost.
//
// Expiry: an entry past its expires_at is never returned, counted or matched by a precondition, whether or not it has
// been removed yet.
//
// Errors: a failing operation changes nothing, except kOutcomeUnknown, where it may have. Not an error: deleting what
// is absent. Deadlines: a call that cannot finish in time fails with kDeadlineExceeded for operations not begun, and
// kOutcomeUnknown for writes begun and not confirmed.
//
// Keys are 1..max_key_bytes bytes; other sizes are kInvalidArgument; values above max_value_bytes kResourceExhausted.
// Everything else about limits: Limits in types.h.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/storage/change_listener.h"
#include "service/storage/snapshot.h"
#include "service/storage/types.h"

namespace holdfast::storage {

struct Capabilities {
  bool transactions = false;  // Transact
  // A transaction may change any keys together; false: kNotSupported unless they share a part of the keys, as keys and
  // locks with a common {tag} in braces do.
  bool transactions_span_keys = true;
  bool durable_ack = false;  // an acknowledged write survives power loss
  bool ordered_scan = true;
  // An acknowledged write, a lock's newest token among them, is there after another server has taken over, as far as
  // the backend can tell.
  bool fencing_survives_failover = true;
  bool inline_reads = false;       // gets never block on a disk or a peer for long: may run on an I/O thread
  bool inline_writes = false;      // likewise for writes
  bool reserves_versions = false;  // ReserveVersions; then nobody else writes to what it keeps
  // False: a write is acknowledged with a version that another one takes the place of once the backend behind has it.
  bool versions_final = true;
  int concurrent_calls = 1;  // how many calls at once it works best with: the connections of a remote one
  // Of these, how many of a kind go at once while others gather into batches. Two: one at the server, and one whose
  // answers are on their way. A server that does one thing at a time gains nothing by the second.
  int eager_calls = 2;
  // Load has a way of its own, which pays best with so many operations at once; 0: it is Execute.
  std::size_t load_operations = 0;
  SnapshotConsistency snapshots = SnapshotConsistency::kPerEntry;  // of OpenSnapshot
  std::string durability;  // "sync", "interval", "os", "memory": as the API shows it
};

// What only a backend on a disk of its own knows.
struct DiskStatistics {
  std::uint64_t live_bytes = 0;                // estimated: what would be left after a complete compaction
  std::uint64_t pending_compaction_bytes = 0;  // estimated: what compactions have still to rewrite
  std::uint64_t compactions = 0;               // ended since the start
};

// Of a backend behind a network: its connections, and what was counted since the start.
struct PoolStatistics {
  std::uint64_t max = 0;
  std::uint64_t idle = 0;
  std::uint64_t in_use = 0;    // or being opened
  std::uint64_t waiting = 0;   // calls that wait for one
  std::uint64_t acquired = 0;  // calls that asked for one
  std::uint64_t waited = 0;    // of these, who found all in use
  std::uint64_t timeouts = 0;  // of these, who got none in time
  std::uint64_t opened = 0;
  std::uint64_t closed = 0;
  std::uint64_t failures = 0;  // to open one
};

// Of a read replica of a backend.
struct ReplicaStatistics {
  std::string name;                 // host:port
  bool in_rotation = false;         // reads may go there
  std::chrono::microseconds lag{};  // 0: nothing is missing; else how long ago the state it shows was the newest
  std::uint64_t reads = 0;          // gets and scans that it answered
};

// Of a backend with read replicas.
struct ReadStatistics {
  std::uint64_t primary_reads = 0;  // gets and scans that went to the primary
  std::vector<ReplicaStatistics> replicas;
};

// Of the server behind a remote backend, as it told last. What it does not show, or could not be asked, is not there.
struct ServerStatistics {
  struct Table {
    std::string name;
    std::uint64_t bytes = 0;  // with indexes and large values; of a partitioned one all partitions
    std::uint64_t live_rows = 0;
    std::uint64_t dead_rows = 0;  // waiting for a vacuum
  };
  std::map<std::string, std::uint64_t> connections;  // to the database, by state
  std::optional<std::uint64_t> database_bytes;
  std::vector<Table> tables;                                   // of the backend; live and dead rows are estimates
  std::optional<std::uint64_t> waiting_locks;                  // requests for locks that wait
  std::map<std::string, std::uint64_t> replication_lag_bytes;  // of whoever streams from it, by name
};

struct Statistics {
  std::uint64_t entries = 0;  // may count entries that have expired and are not removed yet
  bool entries_estimated = false;
  std::uint64_t bytes = 0;  // keys and values in memory, or size on disk
  std::uint64_t expired_removed = 0;
  std::uint64_t evicted = 0;
  // Look-ups that a cache answered and those it did not: of a backend in memory its gets, found and not found; of
  // RocksDB those of its caches of entries and blocks.
  std::uint64_t cache_hits = 0;
  std::uint64_t cache_misses = 0;
  // Of the values compressed since the start, or of a sample of those a server keeps so: their bytes before and after.
  std::uint64_t uncompressed_bytes = 0;
  std::uint64_t compressed_bytes = 0;
  std::optional<DiskStatistics> disk;
  std::optional<PoolStatistics> pool;
  std::optional<ReadStatistics> reads;
  std::optional<ServerStatistics> server;  // of a backend that asks its server
};

struct MaintenanceReport {
  std::uint64_t bytes_before = 0;  // of the files that hold the entries
  std::uint64_t bytes_after = 0;
};

// What an operator may ask of a backend that keeps files. Thread-safe; calls of Backend go on meanwhile. Not needed for
// correctness: the backend does the same by itself when it is due.
class Maintenance {
 public:
  virtual ~Maintenance() = default;
  // Rewrites all files, dropping what was overwritten, deleted or has long expired. Takes as long as reading and
  // writing everything once; the deadline is looked at between its steps.
  virtual Result<MaintenanceReport> Compact(Deadline deadline) = 0;
  // Writes what is in memory to files, so that the next start has no log to replay.
  virtual Result<MaintenanceReport> Flush(Deadline deadline) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  // "memory", "rocksdb", "postgres", "redis"; the label `backend` of metrics is the configured name instead.
  virtual std::string_view kind() const = 0;
  virtual Capabilities capabilities() const = 0;
  virtual const Limits& limits() const = 0;

  // results.size() == operations.size(); every element is assigned.
  virtual void Execute(std::span<const Operation> operations, std::span<OperationResult> results,
                       Deadline deadline) = 0;
  // Execute for whoever writes very much and waits for the whole of it: however many operations, each as atomic and as
  // durable as by Execute, and told to the listener like them. Costs less where they are writes in the order of their
  // keys, each of another key; calls of others may wait longer than for an Execute. As it stands it is right for every
  // backend: Execute, as many at once as the limits allow.
  virtual void Load(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline);
  virtual Result<TransactionResult> Transact(const Transaction& transaction, Deadline deadline) = 0;
  virtual Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline) = 0;
  virtual Result<std::uint64_t> Count(const KeyRange& range, Deadline deadline) = 0;
  // Deletes every live entry in the range; not atomic as a whole. Entries written during the call may stay.
  virtual Result<std::uint64_t> DeleteRange(const KeyRange& range, Deadline deadline) = 0;

  // The range as it is now, or as nearly so as capabilities().snapshots says, to be read while writes go on. As it
  // stands it is right for every backend, page by page.
  virtual Result<std::unique_ptr<Snapshot>> OpenSnapshot(const KeyRange& range, Deadline deadline);
  // The first of `count` versions in a row, above every version given before and below every one that is given by
  // itself from now on: for writes that are decided elsewhere (Operation::decided), which have to arrive in their order
  // and before others of their keys. Else kNotSupported.
  virtual Result<Version> ReserveVersions(std::uint64_t count);

  // Proves that a write would be accepted, through the path that client writes take.
  virtual Status CheckHealth(Deadline deadline) = 0;
  virtual Statistics statistics() const = 0;

  // Null when there is nothing to maintain. As long-lived as the backend.
  virtual Maintenance* maintenance() { return nullptr; }

  // Whoever is told of every change from now on; at most one, set before the first call of anything else.
  virtual void SetChangeListener(std::shared_ptr<ChangeListener> listener) = 0;

  // Returns once the listener has been told of every change that a Scan may have seen which returned before the call.
  // As it stands it is right for backends that tell under the lock that their scans take.
  //
  // True is a proof, on which copies are shown: what was read of a key before the call, and of which the listener has
  // been told nothing since (neither OnChange of it nor OnMissed), is what a strong read would have given at some
  // moment behind the beginning of the call. That covers writes of others, and acknowledged ones that the backend has
  // lost: a backend that went back, was emptied or was replaced says OnMissed before it says true again. False: nothing
  // is known, because the feed could not be asked or did not get so far in time; whoever derives something from changes
  // goes on with what was proved before, as long as that will do, and asks again.
  [[nodiscard]] virtual bool AwaitListener() { return true; }

  // Flushes and releases everything; afterwards every call is kUnavailable. Idempotent. A destructor closes too, but
  // cannot report.
  virtual Status Close() = 0;
};

// Execute for a single operation.
OperationResult ExecuteOne(Backend& backend, const Operation& operation, Deadline deadline);

// The checks every backend makes first: sizes of key, value, metadata, tags; ttl above zero and at most kMaxTtl. The
// message names field, limit, remedy.
inline constexpr std::chrono::hours kMaxTtl{24 * 36'525};  // 100 years
Status Validate(const Operation& operation, const Limits& limits);
Status ValidateKey(std::string_view key, const Limits& limits);
Status ValidateBatch(std::size_t operations, const Limits& limits);
// Every condition and every operation of both branches, and their number.
Status Validate(const Transaction& transaction, const Limits& limits);
// A limit above max_scan_entries is no error: the page is shorter, as it may be for its bytes.
Status Validate(const ScanRequest& request);

// The same error for every operation.
void FailAll(std::span<OperationResult> results, const Error& error);

}  // namespace holdfast::storage
