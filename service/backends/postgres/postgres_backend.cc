#include "service/backends/postgres/postgres_backend.h"

#include <fmt/format.h>

#include "base/log/log.h"
#include "service/backends/postgres/entry_row.h"
#include "service/backends/postgres/kept_changes.h"
#include "service/backends/postgres/read_split.h"
#include "service/backends/postgres/server_sampler.h"
#include "service/backends/postgres/writer.h"
#include "service/storage/call_gate.h"
#include "service/storage/delete_by_pages.h"
#include "service/storage/periodic_task.h"

namespace holdfast::storage {
namespace postgres {
namespace {

constexpr std::size_t kKeysPerDelete = 1'000;
constexpr std::chrono::seconds kStatisticsPatience{2};
constexpr std::chrono::seconds kSweepPatience{5};

class PostgresBackend : public Backend, public ChangeHistory {
 public:
  PostgresBackend(const PostgresOptions& options, const Clock* clock)
      : options_(options),
        statements_(options_.schema),
        pool_(options_, Connection::Purpose::kStatements, choice_, watchdog_),
        changes_(statements_, options_, choice_, watchdog_),
        reader_(pool_, statements_, options_, clock),
        reads_(reader_, options_, statements_, clock, choice_, changes_, watchdog_),
        writer_(pool_, statements_, reader_, changes_, options_, clock),
        sweeper_(kPostgresSweepInterval, [this] { Sweep(); }) {
    if (options_.statistics_interval.count() != 0) sampler_.emplace(statements_, options_, choice_, watchdog_);
  }
  ~PostgresBackend() override { static_cast<void>(Close().ok()); }

  std::string_view kind() const override { return "postgres"; }
  Capabilities capabilities() const override;
  const Limits& limits() const override { return options_.limits; }
  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override;
  Result<TransactionResult> Transact(const Transaction& transaction, Deadline deadline) override;
  Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline) override;
  Result<std::unique_ptr<Snapshot>> OpenSnapshot(const KeyRange& range, Deadline deadline) override;
  Result<std::uint64_t> Count(const KeyRange& range, Deadline deadline) override;
  Result<std::uint64_t> DeleteRange(const KeyRange& range, Deadline deadline) override;
  Status CheckHealth(Deadline deadline) override;
  void SetChangeListener(std::shared_ptr<ChangeListener> listener) override {
    changes_.SetListener(std::move(listener));
  }
  bool AwaitListener() override;
  Statistics statistics() const override;
  Status Close() override;

  Result<ChangePage> Read(const std::string& position, std::string_view prefix, std::size_t most_bytes,
                          Deadline deadline) override;
  void KeepAtMost(std::string_view prefix, std::uint64_t bytes) override { kept_.KeepAtMost(prefix, bytes); }
  void Release(const std::string& position, Deadline deadline) override;
  bool shared() const override { return true; }
  Result<bool> Claim(std::string_view prefix, Deadline deadline) override;
  void Yield(std::string_view prefix, Deadline deadline) override;

 private:
  class Call : public CallGate::Call {
   public:
    Call(const PostgresBackend& backend, Deadline given)
        : CallGate::Call(backend.calls_, given), deadline_(backend.Bounded(given)) {}
    Deadline deadline() const { return deadline_; }

   private:
    const Deadline deadline_;
  };

  Deadline Bounded(Deadline given) const;
  void Sweep();

  const PostgresOptions options_;
  const Statements statements_;
  CallGate calls_{"postgres"};
  Watchdog watchdog_;
  PrimaryChoice choice_;
  mutable ConnectionPool pool_;
  ChangeLog changes_;
  Reader reader_;
  ReadSplit reads_;
  Writer writer_;
  KeptChanges kept_{pool_, statements_, changes_};
  std::atomic<std::uint64_t> expired_removed_{0};
  bool sweep_failing_ = false;  // touched by sweeper_ only; a lasting failure is logged once
  mutable std::mutex statistics_mutex_;
  mutable Statistics last_statistics_;  // guarded by statistics_mutex_
  mutable std::mutex capabilities_mutex_;
  mutable std::optional<Capabilities> capabilities_;  // guarded by capabilities_mutex_; once the server was asked
  // Last, so that their threads end before what they use.
  PeriodicTask sweeper_;
  std::optional<ServerSampler> sampler_;
};

Deadline PostgresBackend::Bounded(Deadline given) const {
  // Nothing waits for ever for a server that does not answer.
  if (options_.statement_timeout.count() == 0) return given;
  return given.Sooner(Deadline::After(options_.statement_timeout + options_.acquire_timeout));
}

// Whether an acknowledged write survives a power cut is the server's to say.
Capabilities PostgresBackend::capabilities() const {
  std::lock_guard lock(capabilities_mutex_);
  if (capabilities_) return *capabilities_;
  Capabilities capabilities;
  capabilities.transactions = true;
  capabilities.concurrent_calls = options_.max_connections;
  capabilities.snapshots = SnapshotConsistency::kPointInTime;
  capabilities.durable_ack = true;
  capabilities.durability = "sync";
  const Call call(*this, Deadline::After(options_.connect_timeout));
  if (!call.status().ok()) return capabilities;
  const Result<ConnectionPool::Lease> connection = pool_.Acquire(call.deadline());
  if (!connection.ok()) return capabilities;
  const Answered asked = (*connection)->Run(statements_.server, call.deadline());
  if (!asked.ok()) return capabilities;
  const std::string_view commit = asked.rows[0][0].c_str();
  const std::string_view fsync = asked.rows[0][1].c_str();
  capabilities.durable_ack = commit != "off" && fsync == "on";
  capabilities.durability = fsync != "on" ? "os" : commit == "off" ? "interval" : "sync";
  capabilities_ = capabilities;
  return capabilities;
}

void PostgresBackend::Execute(std::span<const Operation> operations, std::span<OperationResult> results,
                              Deadline deadline) {
  const Call call(*this, deadline);
  Status status = call.status();
  if (status.ok()) status = ValidateBatch(operations.size(), options_.limits);
  if (!status.ok()) return FailAll(results, status.error());
  const bool only_gets = std::none_of(operations.begin(), operations.end(),
                                      [](const Operation& operation) { return IsWrite(operation.kind); });
  if (only_gets) {
    reads_.Execute(operations, results, call.deadline());
    return;
  }
  writer_.Execute(operations, results, call.deadline());
}

Result<TransactionResult> PostgresBackend::Transact(const Transaction& transaction, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return writer_.Transact(transaction, call.deadline());
}

Result<ScanPage> PostgresBackend::Scan(const ScanRequest& request, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return reads_.Scan(request, call.deadline());
}

Result<std::unique_ptr<Snapshot>> PostgresBackend::OpenSnapshot(const KeyRange& range, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  HOLDFAST_ASSIGN_OR_RETURN(SnapshotPages pages, reader_.OpenSnapshot(call.deadline()));
  return MakePagedSnapshot(
      range, SnapshotConsistency::kPointInTime,
      [this, pages = std::move(pages)](const ScanRequest& request, Deadline until) -> Result<ScanPage> {
        const Call reading(*this, until);
        HOLDFAST_RETURN_IF_ERROR(reading.status());
        return pages(request, reading.deadline());
      });
}

Result<std::uint64_t> PostgresBackend::Count(const KeyRange& range, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return reader_.Count(range, call.deadline());
}

Result<std::uint64_t> PostgresBackend::DeleteRange(const KeyRange& range, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  PageDeletion how;
  how.scan = [this](const ScanRequest& request, Deadline page) { return reader_.Scan(request, page); };
  how.execute = [this](std::span<const Operation> operations, std::span<OperationResult> results, Deadline page) {
    writer_.Execute(operations, results, page);
  };
  how.page_deadline = [this, deadline] { return Bounded(deadline); };
  return DeleteByPages(range, std::min(kKeysPerDelete, options_.limits.max_scan_entries), how);
}

Status PostgresBackend::CheckHealth(Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  HOLDFAST_RETURN_IF_ERROR(changes_.AwaitJoined(call.deadline()));
  const std::int64_t instance = changes_.identity().instance;
  HOLDFAST_ASSIGN_OR_RETURN(const ConnectionPool::Lease connection, pool_.Acquire(call.deadline()));
  Answered probed = connection->Run(statements_.probe, call.deadline(), instance);
  while (!probed.ok() && probed.failure->Retryable() && !call.deadline().Expired()) {
    probed = connection->Run(statements_.probe, call.deadline(), instance);
  }
  if (!probed.ok()) return probed.failure->error;
  if (probed.rows.empty()) return changes_.Rejoin(instance, call.deadline());
  return {};
}

Result<ChangePage> PostgresBackend::Read(const std::string& position, std::string_view prefix, std::size_t most_bytes,
                                         Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return kept_.Read(position, prefix, most_bytes, call.deadline());
}

void PostgresBackend::Release(const std::string& position, Deadline deadline) {
  const Call call(*this, deadline);
  if (call.status().ok()) kept_.Release(position, call.deadline());
}

Result<bool> PostgresBackend::Claim(std::string_view prefix, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return kept_.Claim(prefix, call.deadline());
}

void PostgresBackend::Yield(std::string_view prefix, Deadline deadline) {
  const Call call(*this, deadline);
  if (call.status().ok()) kept_.Yield(prefix, call.deadline());
}

bool PostgresBackend::AwaitListener() {
  writer_.AwaitWriters();
  const Call call(*this, Deadline::After(options_.connect_timeout));
  return call.status().ok() && changes_.AwaitCaughtUp(call.deadline());
}

Statistics PostgresBackend::statistics() const {
  const Call call(*this, Deadline::After(kStatisticsPatience));
  if (calls_.shut()) return {};
  Statistics statistics;
  {
    std::lock_guard lock(statistics_mutex_);
    statistics = last_statistics_;
  }
  statistics.expired_removed = expired_removed_.load(std::memory_order_relaxed);
  statistics.pool = pool_.statistics();
  statistics.reads = reads_.statistics();
  if (sampler_) {
    statistics.server = sampler_->statistics();
    const ValueSizes sizes = sampler_->value_sizes();
    statistics.uncompressed_bytes = sizes.before;
    statistics.compressed_bytes = sizes.after;
  }
  const Result<ConnectionPool::Lease> connection = pool_.Acquire(call.deadline());
  if (!connection.ok()) return statistics;
  const Answered asked = (*connection)->Run(statements_.size, call.deadline());
  if (!asked.ok() || asked.rows.empty()) return statistics;
  const pqxx::row row = asked.rows[0];
  const auto number = [&](int column) {
    const Result<std::int64_t> value = NumberOf(row[column]);
    return value.ok() ? static_cast<std::uint64_t>(*value) : 0;
  };
  statistics.bytes = number(0);
  statistics.entries_estimated = row[1].is_null();
  statistics.entries = number(statistics.entries_estimated ? 2 : 1);
  std::lock_guard lock(statistics_mutex_);
  last_statistics_ = statistics;
  return statistics;
}

void PostgresBackend::Sweep() {
  const Call call(*this, Deadline::After(kSweepPatience));
  if (!call.status().ok() || changes_.identity().instance == 0) return;
  for (bool more = true; more && !calls_.shut();) {
    const Result<Writer::Swept> swept = writer_.Sweep(call.deadline());
    if (!swept.ok()) {
      if (!sweep_failing_) log::Warn("removing expired entries failed", {{"error", swept.error().message()}});
      sweep_failing_ = true;
      return;
    }
    sweep_failing_ = false;
    expired_removed_.fetch_add(swept->removed, std::memory_order_relaxed);
    more = swept->more;
  }
}

Status PostgresBackend::Close() {
  calls_.Shut();
  sweeper_.Stop();
  if (sampler_) sampler_->Stop();
  const auto none_within = calls_.Await();
  reads_.Close();
  changes_.Close();
  pool_.Close();
  return {};
}

// What a replica has shown must hold for whoever answers the reads.
Status CheckReplicas(const std::vector<std::string>& urls) {
  std::vector<HostAndPort> seen;
  for (const std::string& url : urls) {
    const std::vector<HostAndPort> hosts = HostsOf(url);
    if (hosts.size() != 1) {
      return Error(ErrorCode::kInvalidArgument,
                   "replica_urls: each names one host, without hostaddr; give every replica a url of its own");
    }
    if (std::find(seen.begin(), seen.end(), hosts.front()) != seen.end()) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("replica_urls: {}:{} is there twice; leave one out", hosts[0].host, hosts[0].port));
    }
    seen.push_back(hosts.front());
  }
  return {};
}

}  // namespace
}  // namespace postgres

ChangeHistory* PostgresHistoryOf(Backend& backend) {
  return dynamic_cast<postgres::PostgresBackend*>(&backend);
}

Result<std::unique_ptr<Backend>> OpenPostgresBackend(const PostgresOptions& options, const Clock* clock) {
  if (!options.url.starts_with("postgres://") && !options.url.starts_with("postgresql://")) {
    return Error(ErrorCode::kInvalidArgument, "url must begin with postgresql://");
  }
  if (options.limits.max_key_bytes > kMaxPostgresKeyBytes) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("keys may have {} bytes, PostgreSQL can index {}: lower limits.key",
                             options.limits.max_key_bytes, kMaxPostgresKeyBytes));
  }
  if (options.limits.max_operations > kVersionsPerCall) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("calls may have {} operations, PostgreSQL takes {}: lower limits.batch_operations",
                             options.limits.max_operations, kVersionsPerCall));
  }
  HOLDFAST_RETURN_IF_ERROR(postgres::CheckReplicas(options.replica_urls));
  return std::unique_ptr<Backend>(std::make_unique<postgres::PostgresBackend>(options, clock));
}

}  // namespace holdfast::storage
