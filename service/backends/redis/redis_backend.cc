#include "service/backends/redis/redis_backend.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log/log.h"
#include "base/redis/reply.h"
#include "service/backends/redis/change_stream.h"
#include "service/backends/redis/reader.h"
#include "service/backends/redis/replica_reads.h"
#include "service/backends/redis/server_facts.h"
#include "service/backends/redis/writer.h"
#include "service/storage/call_gate.h"
#include "service/storage/delete_by_pages.h"
#include "service/storage/periodic_task.h"

namespace holdfast::storage {
namespace redis_backend {
namespace {

constexpr std::size_t kKeysPerDelete = 1'000;
constexpr std::chrono::seconds kStatisticsPatience{2};
constexpr std::chrono::seconds kSweepPatience{5};
// A reply may hold a row twice as large as its value, or the rows of one call.
constexpr std::size_t kReplyHeadroom = std::size_t{256} << 20;

// No write reaches a server that has not been asked: after a lost connection another one may answer at the address,
// or another configuration.
redis::Client::Prepare Verification(const RedisOptions& options) {
  return [durable = options.durable](redis::Connection& connection, Deadline deadline) -> Status {
    HOLDFAST_ASSIGN_OR_RETURN(const ServerFacts facts, AskFacts(connection, deadline));
    return CheckFacts(facts, durable);
  };
}

class RedisBackend : public Backend {
 public:
  RedisBackend(const RedisOptions& options, std::unique_ptr<redis::Client> client,
               std::unique_ptr<redis::Client> replicas, const Clock* clock)
      : options_(options),
        client_(std::move(client)),
        replicas_(replicas ? std::make_unique<ReplicaReads>(std::move(replicas), scripts_, options_, clock) : nullptr),
        changes_(*client_, scripts_, options_, replicas_ ? &replicas_->beats() : nullptr),
        reader_(*client_, scripts_, options_, clock),
        writer_(*client_, scripts_, changes_, options_, clock),
        sweeper_(kRedisSweepInterval, [this] { Sweep(); }) {
    if (replicas_) replicas_->SetInstance(changes_.instance());
  }
  ~RedisBackend() override { static_cast<void>(Close().ok()); }

  std::string_view kind() const override { return "redis"; }
  Capabilities capabilities() const override;
  const Limits& limits() const override { return options_.limits; }
  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override;
  Result<TransactionResult> Transact(const Transaction& transaction, Deadline deadline) override;
  Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline) override;
  Result<std::uint64_t> Count(const KeyRange& range, Deadline deadline) override;
  Result<std::uint64_t> DeleteRange(const KeyRange& range, Deadline deadline) override;
  Status CheckHealth(Deadline deadline) override;
  void SetChangeListener(std::shared_ptr<ChangeListener> listener) override {
    changes_.SetListener(std::move(listener));
  }
  void AwaitListener() override;
  Statistics statistics() const override;
  Status Close() override;

 private:
  class Call : public CallGate::Call {
   public:
    Call(const RedisBackend& backend, Deadline given)
        : CallGate::Call(backend.calls_, given), deadline_(backend.Bounded(given)) {}
    Deadline deadline() const { return deadline_; }

   private:
    const Deadline deadline_;
  };

  Deadline Bounded(Deadline given) const;
  void Gets(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline);
  void Sweep();

  const RedisOptions options_;
  const Scripts scripts_;
  CallGate calls_{"redis"};
  const std::unique_ptr<redis::Client> client_;
  const std::unique_ptr<ReplicaReads> replicas_;  // null: no reads go there
  ChangeStream changes_;
  Reader reader_;
  Writer writer_;
  std::atomic<std::uint64_t> expired_removed_{0};
  bool sweep_failing_ = false;  // touched by sweeper_ only; a lasting failure is logged once
  // Last, so that its thread ends before what it uses.
  PeriodicTask sweeper_;
};

Deadline RedisBackend::Bounded(Deadline given) const {
  // Nothing waits for ever for a server that does not answer.
  return given.Sooner(Deadline::After(options_.command_timeout + options_.client.acquire_timeout));
}

// Whether an acknowledged write survives a power cut is the server's to say.
Capabilities RedisBackend::capabilities() const {
  Capabilities capabilities;
  capabilities.transactions = true;
  capabilities.concurrent_calls = options_.client.max_connections;
  capabilities.fencing_survives_failover = false;
  capabilities.durability = "memory";  // until the server was asked
  const std::optional<ServerFacts> facts = changes_.AwaitFacts(Deadline::After(options_.client.connect_timeout));
  if (!facts) return capabilities;
  capabilities.durability = DurabilityOf(*facts);
  capabilities.durable_ack = capabilities.durability == "sync";
  return capabilities;
}

void RedisBackend::Execute(std::span<const Operation> operations, std::span<OperationResult> results,
                           Deadline deadline) {
  const Call call(*this, deadline);
  Status status = call.status();
  if (status.ok()) status = ValidateBatch(operations.size(), options_.limits);
  if (!status.ok()) return FailAll(results, status.error());
  const bool only_gets = std::none_of(operations.begin(), operations.end(),
                                      [](const Operation& operation) { return IsWrite(operation.kind); });
  if (only_gets) {
    Gets(operations, results, call.deadline());
  } else {
    writer_.Execute(operations, results, call.deadline());
  }
}

void RedisBackend::Gets(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) {
  if (!replicas_) return reader_.Gets(operations, results, deadline);
  const std::vector<std::size_t> left = replicas_->Gets(operations, results, deadline);
  replicas_->CountPrimaryReads(left.size());
  if (left.size() == operations.size()) return reader_.Gets(operations, results, deadline);
  std::vector<Operation> rest;
  rest.reserve(left.size());
  for (const std::size_t i : left) rest.push_back(operations[i]);
  std::vector<OperationResult> answers(rest.size());
  reader_.Gets(rest, answers, deadline);
  for (std::size_t i = 0; i < left.size(); ++i) results[left[i]] = std::move(answers[i]);
}

Result<TransactionResult> RedisBackend::Transact(const Transaction& transaction, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return writer_.Transact(transaction, call.deadline());
}

Result<ScanPage> RedisBackend::Scan(const ScanRequest& request, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  if (replicas_) {
    if (std::optional<ScanPage> page = replicas_->Scan(request, call.deadline())) return std::move(*page);
    replicas_->CountPrimaryReads(1);
  }
  return reader_.Scan(request, call.deadline());
}

Result<std::uint64_t> RedisBackend::Count(const KeyRange& range, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return reader_.Count(range, call.deadline());
}

Result<std::uint64_t> RedisBackend::DeleteRange(const KeyRange& range, Deadline deadline) {
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

Status RedisBackend::CheckHealth(Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  HOLDFAST_RETURN_IF_ERROR(changes_.AwaitJoined(call.deadline()));
  redis::Pipeline pipeline;
  pipeline.Call(redis::Effect::kWrite, scripts_.probe, {options_.key_prefix}, {});
  redis::Replies replies = client_->Run(pipeline, call.deadline());
  if (!replies[0].ok()) return std::move(replies[0]).error();
  return {};
}

void RedisBackend::AwaitListener() {
  const Call call(*this, Deadline::After(options_.client.connect_timeout));
  if (call.status().ok()) changes_.AwaitCaughtUp(call.deadline());
}

Statistics RedisBackend::statistics() const {
  const Call call(*this, Deadline::After(kStatisticsPatience));
  if (!call.status().ok()) return {};
  Statistics statistics;
  statistics.uncompressed_bytes = writer_.value_bytes();
  statistics.compressed_bytes = writer_.packed_bytes();
  statistics.expired_removed = expired_removed_.load(std::memory_order_relaxed);
  const pool::Statistics pool = client_->statistics();
  statistics.pool = PoolStatistics{pool.max,    pool.idle,     pool.in_use, pool.waiting, pool.acquired,
                                   pool.waited, pool.timeouts, pool.opened, pool.closed,  pool.failures};
  if (replicas_) statistics.reads = replicas_->statistics();
  redis::Pipeline pipeline;
  const std::string index = options_.key_prefix + "index";
  const std::string state = options_.key_prefix + "state";
  pipeline.Add(redis::Effect::kRead, {"ZCARD", index}).Add(redis::Effect::kRead, {"HGET", state, "bytes"});
  redis::Replies replies = client_->Run(pipeline, call.deadline());
  const auto entries = redis::AsInteger(std::move(replies[0]), "ZCARD");
  const auto bytes = redis::AsOptionalString(std::move(replies[1]), "HGET");
  if (entries.ok()) statistics.entries = static_cast<std::uint64_t>(*entries);
  if (bytes.ok() && *bytes) statistics.bytes = std::strtoull((*bytes)->c_str(), nullptr, 10);
  return statistics;
}

void RedisBackend::Sweep() {
  const Call call(*this, Deadline::After(kSweepPatience));
  // Before it has joined there is nobody to tell.
  if (!call.status().ok() || !changes_.AwaitJoined(Deadline::After(std::chrono::nanoseconds{0})).ok()) return;
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

Status RedisBackend::Close() {
  calls_.Shut();
  sweeper_.Stop();
  const auto none_within = calls_.Await();
  changes_.Close();
  if (replicas_) replicas_->Close();
  client_->Close();
  return {};
}

}  // namespace
}  // namespace redis_backend

Result<std::unique_ptr<Backend>> OpenRedisBackend(const RedisOptions& options, const Clock* clock) {
  if (options.key_prefix.empty()) {
    return Error(ErrorCode::kInvalidArgument, "key_prefix is empty: give the prefix of the backend's keys");
  }
  if (options.limits.max_value_bytes > kMaxRedisValueBytes) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("values may have {} bytes, a Redis backend takes {}: lower limits.value",
                             options.limits.max_value_bytes, kMaxRedisValueBytes));
  }
  RedisOptions complete = options;
  complete.client.max_reply_bytes = redis_backend::kReplyHeadroom + 2 * options.limits.max_value_bytes;
  HOLDFAST_ASSIGN_OR_RETURN(std::unique_ptr<redis::Client> client,
                            redis::Client::Make(complete.client, redis_backend::Verification(complete)));
  std::unique_ptr<redis::Client> replicas;
  if (complete.replica_reads) {
    HOLDFAST_ASSIGN_OR_RETURN(replicas, redis_backend::ReplicaReads::MakeClient(complete.client));
  }
  return std::unique_ptr<Backend>(
      std::make_unique<redis_backend::RedisBackend>(complete, std::move(client), std::move(replicas), clock));
}

}  // namespace holdfast::storage
