#include "service/backends/redis/redis_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/log/log.h"
#include "base/redis/reply.h"
#include "service/backends/redis/batch_writes.h"
#include "service/backends/redis/change_stream.h"
#include "service/backends/redis/kept_changes.h"
#include "service/backends/redis/layout.h"
#include "service/backends/redis/partitions.h"
#include "service/backends/redis/reader.h"
#include "service/backends/redis/replica_reads.h"
#include "service/backends/redis/script_call.h"
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

// What stands for one partition of the keys: on a single server all of them.
struct Partition {
  Partition(redis::Client& client, const Scripts& scripts, const RedisOptions& options, const std::string& prefix,
            Layout& layout, const Clock* clock, Beats* beats)
      : changes(client, scripts, options, prefix, layout, beats),
        writer(client, scripts, changes, options, prefix, clock) {}

  ChangeStream changes;
  Writer writer;
};

// The weaker comes first.
int RankOf(std::string_view durability) {
  constexpr std::array<std::string_view, 4> kRanks{"memory", "os", "interval", "sync"};
  return static_cast<int>(std::find(kRanks.begin(), kRanks.end(), durability) - kRanks.begin());
}

class RedisBackend : public Backend, public ChangeHistory {
 public:
  RedisBackend(const RedisOptions& options, std::unique_ptr<redis::Client> client,
               std::unique_ptr<redis::Client> replicas, const Clock* clock)
      : options_(options),
        client_(std::move(client)),
        layout_(*client_, options_),
        replicas_(replicas ? std::make_unique<ReplicaReads>(std::move(replicas), scripts_, options_, partitions_, clock)
                           : nullptr),
        parts_(MakeParts(clock)),
        reader_(*client_, scripts_, options_, partitions_, clock),
        writes_(*client_, options_, partitions_, [this](std::size_t i) -> Writer& { return parts_[i]->writer; }),
        sweeper_(kRedisSweepInterval, [this] { Sweep(); }) {
    // Only sentinels know replicas, and what they know of is one partition.
    if (replicas_) replicas_->SetInstance(parts_.front()->changes.instance());
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
    for (const auto& part : parts_) part->changes.SetListener(listener);
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
  using Parts = std::vector<std::unique_ptr<Partition>>;

  class Call : public CallGate::Call {
   public:
    Call(const RedisBackend& backend, Deadline given)
        : CallGate::Call(backend.calls_, given), deadline_(backend.Bounded(given)) {}
    Deadline deadline() const { return deadline_; }

   private:
    const Deadline deadline_;
  };

  Parts MakeParts(const Clock* clock);

  Deadline Bounded(Deadline given) const;
  void Gets(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline);
  void Sweep();
  Status SweepPart(Partition& part, Deadline deadline);

  const RedisOptions options_;
  const Partitions partitions_{options_};
  const Scripts scripts_;
  CallGate calls_{"redis"};
  const std::unique_ptr<redis::Client> client_;
  Layout layout_;
  const std::unique_ptr<ReplicaReads> replicas_;  // null: no reads go there
  const Parts parts_;                             // in the order of partitions_
  Reader reader_;
  KeptChanges kept_{*client_, scripts_, options_, partitions_};
  BatchWrites writes_;
  std::atomic<std::uint64_t> expired_removed_{0};
  std::atomic<std::size_t> missing_{0};  // partitions that took no write at the last check
  bool sweep_failing_ = false;           // touched by sweeper_ only; a lasting failure is logged once
  // Last, so that its thread ends before what it uses.
  PeriodicTask sweeper_;
};

Deadline RedisBackend::Bounded(Deadline given) const {
  // Nothing waits for ever for a server that does not answer.
  return given.Sooner(Deadline::After(options_.command_timeout + options_.client.acquire_timeout));
}

RedisBackend::Parts RedisBackend::MakeParts(const Clock* clock) {
  Parts parts;
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    parts.push_back(std::make_unique<Partition>(*client_, scripts_, options_, partitions_.prefix(i), layout_, clock,
                                                replicas_ ? &replicas_->beats() : nullptr));
  }
  return parts;
}

// Whether an acknowledged write survives a power cut is the servers' to say, and the weakest of them counts.
Capabilities RedisBackend::capabilities() const {
  Capabilities capabilities;
  capabilities.transactions = true;
  capabilities.transactions_span_keys = partitions_.size() == 1 || options_.cluster_spread == ClusterSpread::kNamespace;
  capabilities.concurrent_calls = options_.client.max_connections;
  if (partitions_.size() == 1) capabilities.eager_calls = 1;
  capabilities.fencing_survives_failover = false;
  capabilities.durability = "memory";  // until the servers were asked
  const Deadline patience = Deadline::After(options_.client.connect_timeout);
  std::string_view weakest = "sync";
  for (const auto& part : parts_) {
    const std::optional<ServerFacts> facts = part->changes.AwaitFacts(patience);
    if (!facts) return capabilities;
    if (const std::string_view one = DurabilityOf(*facts); RankOf(one) < RankOf(weakest)) weakest = one;
  }
  capabilities.durability = weakest;
  capabilities.durable_ack = weakest == "sync";
  return capabilities;
}

void RedisBackend::Execute(std::span<const Operation> operations, std::span<OperationResult> results,
                           Deadline deadline) {
  const Call call(*this, deadline);
  Status status = call.status();
  if (status.ok()) status = ValidateBatch(operations.size(), options_.limits);
  if (status.ok()) status = layout_.Check(call.deadline());
  if (!status.ok()) return FailAll(results, status.error());
  const bool only_gets = std::none_of(operations.begin(), operations.end(),
                                      [](const Operation& operation) { return IsWrite(operation.kind); });
  if (only_gets) {
    Gets(operations, results, call.deadline());
  } else {
    writes_.Execute(operations, results, call.deadline());
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
  HOLDFAST_RETURN_IF_ERROR(layout_.Check(call.deadline()));
  const std::optional<std::size_t> partition = partitions_.Of(transaction);
  if (partition) return parts_[*partition]->writer.Transact(transaction, call.deadline());
  HOLDFAST_RETURN_IF_ERROR(Validate(transaction, options_.limits));
  return Error(ErrorCode::kNotSupported,
               "the keys of the transaction lie in different parts of a Redis Cluster, which changes only keys of one "
               "part together: give keys and locks a common {tag} in braces, or set cluster_spread: namespace for the "
               "backend; nothing was changed");
}

Result<ScanPage> RedisBackend::Scan(const ScanRequest& request, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  HOLDFAST_RETURN_IF_ERROR(layout_.Check(call.deadline()));
  if (replicas_) {
    if (std::optional<ScanPage> page = replicas_->Scan(request, call.deadline())) return std::move(*page);
    replicas_->CountPrimaryReads(1);
  }
  return reader_.Scan(request, call.deadline());
}

Result<std::uint64_t> RedisBackend::Count(const KeyRange& range, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  HOLDFAST_RETURN_IF_ERROR(layout_.Check(call.deadline()));
  return reader_.Count(range, call.deadline());
}

Result<std::uint64_t> RedisBackend::DeleteRange(const KeyRange& range, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  HOLDFAST_RETURN_IF_ERROR(layout_.Check(call.deadline()));
  PageDeletion how;
  how.scan = [this](const ScanRequest& request, Deadline page) { return reader_.Scan(request, page); };
  how.execute = [this](std::span<const Operation> operations, std::span<OperationResult> results, Deadline page) {
    writes_.Execute(operations, results, page);
  };
  how.page_deadline = [this, deadline] { return Bounded(deadline); };
  return DeleteByPages(range, std::min(kKeysPerDelete, options_.limits.max_scan_entries), how);
}

Status RedisBackend::CheckHealth(Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  // One that cannot be reached leaves the others time to be asked.
  const Deadline joining =
      parts_.size() == 1 ? call.deadline() : call.deadline().Sooner(Deadline::After(call.deadline().Remaining() / 2));
  redis::Pipeline pipeline;
  std::optional<Error> failure;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (Status joined = parts_[i]->changes.AwaitJoined(joining); !joined.ok()) {
      failure = std::move(joined).error();
    } else {
      AddScript(pipeline, redis::Effect::kWrite, scripts_.probe, options_, partitions_.prefix(i), {});
    }
  }
  if (pipeline.empty() && failure) return *std::move(failure);
  std::size_t taken = 0;
  for (Result<redis::Value>& reply : client_->Run(pipeline, call.deadline())) {
    if (reply.ok()) {
      ++taken;
    } else {
      failure = std::move(reply).error();
    }
  }
  if (taken == 0 && failure) return *std::move(failure);
  // The keys of the others are served: a service that called itself unhealthy would serve none.
  const std::size_t missing = parts_.size() - taken;
  if (missing_.exchange(missing) == missing) return {};
  if (missing == 0) {
    log::Info("every part of the Redis Cluster takes writes again", {});
  } else {
    log::Warn("parts of the Redis Cluster take no writes",
              {{"parts", missing}, {"of", parts_.size()}, {"error", failure->message()}});
  }
  return {};
}

Result<ChangePage> RedisBackend::Read(const std::string& position, std::string_view prefix, std::size_t most_bytes,
                                      Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  HOLDFAST_RETURN_IF_ERROR(layout_.Check(call.deadline()));
  return kept_.Read(position, prefix, most_bytes, call.deadline());
}

void RedisBackend::Release(const std::string& position, Deadline deadline) {
  const Call call(*this, deadline);
  if (call.status().ok()) kept_.Release(position, call.deadline());
}

Result<bool> RedisBackend::Claim(std::string_view prefix, Deadline deadline) {
  const Call call(*this, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  // Who has not joined would not be seen to hold it.
  ChangeStream& changes = parts_.front()->changes;
  HOLDFAST_RETURN_IF_ERROR(changes.AwaitJoined(call.deadline()));
  return kept_.Claim(prefix, changes.instance(), call.deadline());
}

void RedisBackend::Yield(std::string_view prefix, Deadline deadline) {
  const Call call(*this, deadline);
  if (call.status().ok()) kept_.Yield(prefix, parts_.front()->changes.instance(), call.deadline());
}

bool RedisBackend::AwaitListener() {
  const Call call(*this, Deadline::After(options_.client.connect_timeout));
  if (!call.status().ok()) return false;
  bool all = true;
  // One that cannot say so holds up no other.
  for (const auto& part : parts_) all = part->changes.AwaitCaughtUp(call.deadline()) && all;
  return all;
}

Statistics RedisBackend::statistics() const {
  const Call call(*this, Deadline::After(kStatisticsPatience));
  if (!call.status().ok()) return {};
  Statistics statistics;
  for (const auto& part : parts_) {
    statistics.uncompressed_bytes += part->writer.value_bytes();
    statistics.compressed_bytes += part->writer.packed_bytes();
  }
  statistics.expired_removed = expired_removed_.load(std::memory_order_relaxed);
  const pool::Statistics pool = client_->statistics();
  statistics.pool = PoolStatistics{pool.max,    pool.idle,     pool.in_use, pool.waiting, pool.acquired,
                                   pool.waited, pool.timeouts, pool.opened, pool.closed,  pool.failures};
  if (replicas_) statistics.reads = replicas_->statistics();
  redis::Pipeline pipeline;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const std::string index = partitions_.prefix(i) + "index";
    const std::string state = partitions_.prefix(i) + "state";
    pipeline.For(index).Add(redis::Effect::kRead, {"ZCARD", index}).Add(redis::Effect::kRead, {"HGET", state, "bytes"});
  }
  redis::Replies replies = client_->Run(pipeline, call.deadline());
  for (std::size_t i = 0; i < replies.size(); i += 2) {
    const auto entries = redis::AsInteger(std::move(replies[i]), "ZCARD");
    const auto bytes = redis::AsOptionalString(std::move(replies[i + 1]), "HGET");
    if (entries.ok()) statistics.entries += static_cast<std::uint64_t>(*entries);
    if (bytes.ok() && *bytes) statistics.bytes += std::strtoull((*bytes)->c_str(), nullptr, 10);
  }
  return statistics;
}

void RedisBackend::Sweep() {
  const Call call(*this, Deadline::After(kSweepPatience));
  if (!call.status().ok()) return;
  Status swept;
  for (const auto& part : parts_) {
    // Before it has joined there is nobody to tell.
    if (!part->changes.AwaitJoined(Deadline::After(std::chrono::nanoseconds{0})).ok()) continue;
    if (Status one = SweepPart(*part, call.deadline()); !one.ok()) swept = std::move(one);
  }
  if (!swept.ok() && !sweep_failing_) {
    log::Warn("removing expired entries failed", {{"error", swept.error().message()}});
  }
  sweep_failing_ = !swept.ok();
}

Status RedisBackend::SweepPart(Partition& part, Deadline deadline) {
  for (bool more = true; more && !calls_.shut();) {
    HOLDFAST_ASSIGN_OR_RETURN(const Writer::Swept swept, part.writer.Sweep(deadline));
    expired_removed_.fetch_add(swept.removed, std::memory_order_relaxed);
    more = swept.more;
  }
  return {};
}

Status RedisBackend::Close() {
  calls_.Shut();
  sweeper_.Stop();
  const auto none_within = calls_.Await();
  for (const auto& part : parts_) part->changes.Close();
  if (replicas_) replicas_->Close();
  client_->Close();
  return {};
}

}  // namespace
}  // namespace redis_backend

ChangeHistory* RedisHistoryOf(Backend& backend) {
  return dynamic_cast<redis_backend::RedisBackend*>(&backend);
}

Result<std::unique_ptr<Backend>> OpenRedisBackend(const RedisOptions& options, const Clock* clock) {
  if (options.key_prefix.empty()) {
    return Error(ErrorCode::kInvalidArgument, "key_prefix is empty: give the prefix of the backend's keys");
  }
  if (options.client.target.topology == redis::Target::Topology::kCluster) {
    if (options.key_prefix.find('{') != std::string::npos) {
      return Error(ErrorCode::kInvalidArgument,
                   "key_prefix holds a '{', which in a Redis Cluster begins the tag of a slot: leave it out");
    }
    if (options.cluster_partitions < 1 || options.cluster_partitions > kMaxClusterPartitions) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("cluster_partitions is {}: give 1 to {}",
                                                            options.cluster_partitions, kMaxClusterPartitions));
    }
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
