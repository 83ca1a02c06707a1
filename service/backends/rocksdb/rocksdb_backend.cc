#include "service/backends/rocksdb/rocksdb_backend.h"

#include <fmt/format.h>
#include <rocksdb/perf_level.h>

#include "base/log/log.h"
#include "service/backends/rocksdb/loader.h"
#include "service/backends/rocksdb/log_history.h"
#include "service/backends/rocksdb/open_on_file_system.h"
#include "service/backends/rocksdb/open_snapshots.h"
#include "service/backends/rocksdb/rocksdb_error.h"
#include "service/backends/rocksdb/writer.h"
#include "service/storage/call_gate.h"
#include "service/storage/decision.h"
#include "service/storage/periodic_task.h"

namespace holdfast::storage {
namespace {

constexpr std::size_t kKeysPerDelete = 1000;

// RocksDB counts comparisons and the like for each thread until it is told not to. Nobody here asks for them, and they
// are a tenth of what a get costs.
void LeaveThreadUncounted() {
  static thread_local bool told = false;
  if (told) return;
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
  told = true;
}

class RocksDbBackend : public Backend, public Maintenance, public ChangeHistory {
 public:
  RocksDbBackend(const RocksDbOptions& options, const Clock& clock, std::unique_ptr<Database> database,
                 std::unique_ptr<VersionSource> versions)
      : options_(options),
        clock_(clock),
        database_(std::move(database)),
        versions_(std::move(versions)),
        cache_(options_.entry_cache_size),
        reader_(*database_, cache_, options_.limits, clock_),
        writer_(*database_, cache_, reader_, *versions_, options_, clock_),
        loader_(*database_, cache_, reader_, *versions_, writer_, options_, clock_),
        history_(*database_, clock_),
        maintenance_(kRocksDbSweepInterval, [this] { Maintain(); }) {
    if (options_.durability == Durability::kInterval) {
      syncer_.emplace(options_.sync_interval, [this] { SyncLog(); });
    }
  }
  ~RocksDbBackend() override {
    Status closed = Close();
    if (!closed.ok()) log::Error("rocksdb did not close cleanly", {{"error", closed.error().message()}});
  }

  std::string_view kind() const override { return "rocksdb"; }
  Capabilities capabilities() const override;
  const Limits& limits() const override { return options_.limits; }
  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override;
  void Load(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override;
  Result<TransactionResult> Transact(const Transaction& transaction, Deadline deadline) override;
  Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline) override;
  Result<std::unique_ptr<Snapshot>> OpenSnapshot(const KeyRange& range, Deadline deadline) override;
  Result<std::uint64_t> Count(const KeyRange& range, Deadline deadline) override;
  Result<std::uint64_t> DeleteRange(const KeyRange& range, Deadline deadline) override;
  Result<Version> ReserveVersions(std::uint64_t count) override;
  Status CheckHealth(Deadline deadline) override;
  void SetChangeListener(std::shared_ptr<ChangeListener> listener) override;
  bool AwaitListener() override {
    writer_.AwaitListener();
    return true;
  }
  Statistics statistics() const override;
  Maintenance* maintenance() override { return this; }
  bool keeps_history() const { return options_.archived_log_size > 0; }
  Result<ChangePage> Read(const std::string& position, std::string_view prefix, std::size_t most_bytes,
                          Deadline deadline) override {
    const Call call(*this, deadline);
    HOLDFAST_RETURN_IF_ERROR(call.status());
    return history_.Read(position, prefix, most_bytes, deadline);
  }
  Result<MaintenanceReport> Compact(Deadline deadline) override;
  Result<MaintenanceReport> Flush(Deadline deadline) override;
  Status Close() override;

 private:
  class Call : public CallGate::Call {
   public:
    Call(const RocksDbBackend& backend, Deadline deadline) : CallGate::Call(backend.calls_, deadline) {
      LeaveThreadUncounted();
    }
  };

  void ExecuteGet(const Operation& operation, OperationResult& result) const;
  void ExecuteGets(std::span<const Operation> operations, std::span<OperationResult> results) const;
  void Answer(const Operation& operation, StoredEntry stored, OperationResult& result) const;
  // The size on disk before and after `work`.
  template <typename Work>
  Result<MaintenanceReport> Maintained(std::string_view doing, Deadline deadline, const Work& work);
  // Adds to `deleted` what was; the first error ends nothing but is returned.
  Status DeleteKeys(const std::vector<std::string>& keys, Deadline deadline, std::uint64_t* deleted);
  void Maintain();
  void SyncLog();

  const RocksDbOptions options_;
  const Clock& clock_;
  CallGate calls_{"rocksdb"};
  std::unique_ptr<Database> database_;
  std::unique_ptr<VersionSource> versions_;
  EntryCache cache_;
  OpenSnapshots snapshots_;
  Reader reader_;
  Writer writer_;
  Loader loader_;
  const LogHistory history_;
  std::atomic<std::uint64_t> expired_removed_{0};
  bool sweep_failing_ = false;  // touched by maintenance_ only; a lasting failure is logged once
  // Last, so that their threads end before what they use.
  PeriodicTask maintenance_;
  std::optional<PeriodicTask> syncer_;
};

Capabilities RocksDbBackend::capabilities() const {
  Capabilities capabilities;
  capabilities.transactions = true;
  capabilities.inline_reads = true;
  capabilities.snapshots = SnapshotConsistency::kPointInTime;
  capabilities.reserves_versions = true;
  capabilities.load_operations = loader_.enabled() ? kLoadOperations : 0;
  capabilities.durable_ack = options_.durability == Durability::kSync;
  switch (options_.durability) {
    case Durability::kSync:
      capabilities.durability = "sync";
      break;
    case Durability::kInterval:
      capabilities.durability = "interval";
      break;
    case Durability::kOs:
      capabilities.durability = "os";
      break;
  }
  return capabilities;
}

void RocksDbBackend::Execute(std::span<const Operation> operations, std::span<OperationResult> results,
                             Deadline deadline) {
  const Call call(*this, deadline);
  Status status = call.status();
  if (status.ok()) status = ValidateBatch(operations.size(), options_.limits);
  if (!status.ok()) {
    FailAll(results, status.error());
    return;
  }
  const bool only_gets = std::none_of(operations.begin(), operations.end(),
                                      [](const Operation& operation) { return IsWrite(operation.kind); });
  if (only_gets && operations.size() == 1) {
    ExecuteGet(operations[0], results[0]);
  } else if (only_gets) {
    ExecuteGets(operations, results);
  } else {
    writer_.Execute(operations, results, deadline);
  }
}

void RocksDbBackend::Load(std::span<const Operation> operations, std::span<OperationResult> results,
                          Deadline deadline) {
  {
    const Call call(*this, deadline);
    if (call.status().ok() && loader_.Load(operations, results, deadline)) return;
  }
  Backend::Load(operations, results, deadline);
}

void RocksDbBackend::ExecuteGets(std::span<const Operation> operations, std::span<OperationResult> results) const {
  std::vector<std::string_view> keys;
  std::vector<std::size_t> positions;
  keys.reserve(operations.size());
  positions.reserve(operations.size());
  for (std::size_t i = 0; i < operations.size(); ++i) {
    results[i] = OperationResult{};
    results[i].status = Validate(operations[i], options_.limits);
    if (!results[i].status.ok()) continue;
    keys.push_back(operations[i].key);
    positions.push_back(i);
  }
  std::vector<StoredEntry> stored = reader_.Read(keys);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Answer(operations[positions[i]], std::move(stored[i]), results[positions[i]]);
  }
}

void RocksDbBackend::Answer(const Operation& operation, StoredEntry stored, OperationResult& result) const {
  if (!stored.status.ok()) {
    result = OperationResult{};
    result.status = std::move(stored.status);
    return;
  }
  EntryPtr entry = std::move(stored.entry);
  if (entry && entry->expires_at && IsExpired(*entry, clock_.Now())) entry = nullptr;
  DecideGet(operation, std::move(entry), result);
}

void RocksDbBackend::ExecuteGet(const Operation& operation, OperationResult& result) const {
  Status valid = Validate(operation, options_.limits);
  if (valid.ok()) return Answer(operation, reader_.Read(operation.key), result);
  result = OperationResult{};
  result.status = std::move(valid);
}

Result<TransactionResult> RocksDbBackend::Transact(const Transaction& transaction, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return writer_.Transact(transaction, deadline);
}

Result<ScanPage> RocksDbBackend::Scan(const ScanRequest& request, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return reader_.Scan(request, deadline);
}

Result<std::unique_ptr<Snapshot>> RocksDbBackend::OpenSnapshot(const KeyRange& range, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  const std::shared_ptr<const rocksdb::Snapshot> taken(
      snapshots_.Take(*database_->db),
      [this](const rocksdb::Snapshot* snapshot) { snapshots_.Release(*database_->db, snapshot); });
  return MakePagedSnapshot(range, SnapshotConsistency::kPointInTime,
                           [this, taken](const ScanRequest& request, Deadline until) -> Result<ScanPage> {
                             const Call reading(*this, until);
                             HOLDFAST_RETURN_IF_ERROR(reading.status());
                             return reader_.ScanSnapshot(request, taken.get(), until);
                           });
}

Result<std::uint64_t> RocksDbBackend::Count(const KeyRange& range, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return reader_.Count(range, deadline);
}

Result<std::uint64_t> RocksDbBackend::DeleteRange(const KeyRange& range, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  std::uint64_t deleted = 0;
  std::optional<std::string> after;
  Status status;
  for (bool more = true; more && status.ok();) {
    Result<std::vector<std::string>> keys = reader_.LiveKeys(range, after, kKeysPerDelete, deadline);
    if (!keys.ok()) {
      status = std::move(keys).error();
      break;
    }
    status = DeleteKeys(*keys, deadline, &deleted);
    more = keys->size() == kKeysPerDelete;
    if (more) after = keys->back();
  }
  if (status.ok()) return deleted;
  if (deleted == 0) return std::move(status).error();
  return Error(ErrorCode::kOutcomeUnknown,
               fmt::format("{} entries were deleted, others remain: {}", deleted, status.error().message()));
}

Status RocksDbBackend::DeleteKeys(const std::vector<std::string>& keys, Deadline deadline, std::uint64_t* deleted) {
  std::vector<Operation> operations;
  operations.reserve(keys.size());
  for (const std::string& key : keys) operations.push_back(Operation::Delete(key));
  std::vector<OperationResult> results(operations.size());
  writer_.Execute(operations, results, deadline);
  Status first_error;
  for (OperationResult& result : results) {
    if (result.status.ok() && result.existed) ++*deleted;
    if (!result.status.ok() && first_error.ok()) first_error = std::move(result.status);
  }
  return first_error;
}

Result<Version> RocksDbBackend::ReserveVersions(std::uint64_t count) {
  const Call call(*this, Deadline::Infinite());
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return versions_->Take(count);
}

Status RocksDbBackend::CheckHealth(Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return writer_.WriteHealthRow();
}

void RocksDbBackend::SetChangeListener(std::shared_ptr<ChangeListener> listener) {
  writer_.SetChangeListener(std::move(listener));
}

Statistics RocksDbBackend::statistics() const {
  Statistics statistics;
  const Call call(*this, Deadline::Infinite());
  if (!call.status().ok()) return statistics;
  const auto number = [this](const char* property) {
    std::uint64_t value = 0;
    return database_->db->GetAggregatedIntProperty(property, &value) ? value : 0;
  };
  database_->db->GetIntProperty(database_->entries, "rocksdb.estimate-num-keys", &statistics.entries);
  statistics.entries_estimated = true;
  statistics.bytes = number("rocksdb.total-sst-files-size") + number("rocksdb.cur-size-all-mem-tables");
  DiskStatistics disk;
  disk.live_bytes = number("rocksdb.estimate-live-data-size");
  disk.pending_compaction_bytes = number("rocksdb.estimate-pending-compaction-bytes");
  disk.compactions = database_->compactions->load(std::memory_order_relaxed);
  statistics.disk = disk;
  statistics.cache_hits = cache_.hits() + database_->block_cache->hits();
  statistics.cache_misses = database_->block_cache->misses();
  statistics.uncompressed_bytes = writer_.value_bytes() + loader_.value_bytes();
  statistics.compressed_bytes = writer_.compressed_bytes() + loader_.compressed_bytes();
  statistics.expired_removed = expired_removed_.load(std::memory_order_relaxed) +
                               database_->dropped_by_compaction->load(std::memory_order_relaxed);
  return statistics;
}

template <typename Work>
Result<MaintenanceReport> RocksDbBackend::Maintained(std::string_view doing, Deadline deadline, const Work& work) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  if (std::optional<Error> shut = database_->gate->Shut()) return *std::move(shut);
  const auto size = [this] {
    std::uint64_t bytes = 0;
    return database_->db->GetAggregatedIntProperty("rocksdb.total-sst-files-size", &bytes) ? bytes : 0;
  };
  MaintenanceReport report;
  report.bytes_before = size();
  for (rocksdb::ColumnFamilyHandle* family : {database_->entries, database_->expiry, database_->holdfast}) {
    if (deadline.Expired()) {
      return Error(ErrorCode::kDeadlineExceeded,
                   "the deadline passed before all of it was done; nothing is lost by that");
    }
    const rocksdb::Status status = work(family);
    if (!status.ok()) return MaintenanceError(status, doing);
  }
  report.bytes_after = size();
  return report;
}

Result<MaintenanceReport> RocksDbBackend::Compact(Deadline deadline) {
  return Maintained("compacting", deadline, [this](rocksdb::ColumnFamilyHandle* family) {
    rocksdb::CompactRangeOptions options;
    // Otherwise a last level that nothing fell into would keep what a changed setting wants written anew.
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    options.exclusive_manual_compaction = false;
    return database_->db->CompactRange(options, family, nullptr, nullptr);
  });
}

Result<MaintenanceReport> RocksDbBackend::Flush(Deadline deadline) {
  return Maintained("flushing", deadline, [this](rocksdb::ColumnFamilyHandle* family) {
    return database_->db->Flush(rocksdb::FlushOptions(), family);
  });
}

void RocksDbBackend::Maintain() {
  database_->gate->TryResume(*database_->db);
  if (database_->gate->Shut()) return;
  Result<std::uint64_t> removed = writer_.Sweep(clock_.Now());
  if (removed.ok()) {
    expired_removed_.fetch_add(*removed, std::memory_order_relaxed);
  } else if (!sweep_failing_) {
    log::Warn("removing expired entries failed, it is tried again", {{"error", removed.error().message()}});
  }
  sweep_failing_ = !removed.ok();
}

void RocksDbBackend::SyncLog() {
  if (database_->gate->Shut()) return;
  Status synced = database_->gate->SyncLog(*database_->db, database_->holdfast);
  if (!synced.ok()) log::Error("syncing the log failed", {{"error", synced.error().message()}});
}

Status RocksDbBackend::Close() {
  if (!calls_.Shut()) return {};
  maintenance_.Stop();
  if (syncer_) syncer_->Stop();
  const auto none_within = calls_.Await();
  snapshots_.ReleaseAll(*database_->db);
  return database_->Close();
}

}  // namespace

Result<std::unique_ptr<Backend>> OpenRocksDbBackendOn(std::shared_ptr<rocksdb::FileSystem> file_system,
                                                      const RocksDbOptions& options, const Clock& clock,
                                                      const std::function<bool()>& stop) {
  if (options.lock_wait.count() > 0) WaitUntilFree(options, *file_system, stop);
  HOLDFAST_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, OpenDatabase(options, clock, std::move(file_system)));
  HOLDFAST_ASSIGN_OR_RETURN(std::unique_ptr<VersionSource> versions, VersionSource::Open(*database, clock.Now()));
  return std::unique_ptr<Backend>(
      std::make_unique<RocksDbBackend>(options, clock, std::move(database), std::move(versions)));
}

Result<std::unique_ptr<Backend>> OpenRocksDbBackend(const RocksDbOptions& options, const Clock& clock,
                                                    const std::function<bool()>& stop) {
  return OpenRocksDbBackendOn(rocksdb::FileSystem::Default(), options, clock, stop);
}

ChangeHistory* ChangeHistoryOf(Backend& backend) {
  auto* const ours = dynamic_cast<RocksDbBackend*>(&backend);
  return ours != nullptr && ours->keeps_history() ? ours : nullptr;
}

}  // namespace holdfast::storage
