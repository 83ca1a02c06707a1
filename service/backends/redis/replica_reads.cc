#include "service/backends/redis/replica_reads.h"

#include <utility>

namespace holdfast::storage::redis_backend {
namespace {

using Steady = std::chrono::steady_clock;

// What a get may come to on any server; everything else is a failure to ask.
bool Answered(const Status& status) {
  if (status.ok()) return true;
  switch (status.error().code()) {
    case ErrorCode::kNotFound:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kVersionConflict:
    case ErrorCode::kFenced:
    case ErrorCode::kInvalidArgument:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<std::unique_ptr<redis::Client>> ReplicaReads::MakeClient(redis::Options options) {
  options.role = redis::Role::kReplica;
  options.min_connections = 0;
  return redis::Client::Make(std::move(options));
}

ReplicaReads::ReplicaReads(std::unique_ptr<redis::Client> client, const Scripts& scripts, const RedisOptions& options,
                           const Partitions& partitions, const Clock* clock)
    : options_(options),
      client_(std::move(client)),
      beats_(2 * options.max_replication_lag),
      reader_(*client_, scripts, options, partitions, clock) {}

bool ReplicaReads::Resting() const {
  return Steady::now().time_since_epoch().count() < rests_until_.load(std::memory_order_relaxed);
}

void ReplicaReads::Rest() {
  rests_until_.store((Steady::now() + kReplicaRest).time_since_epoch().count(), std::memory_order_relaxed);
}

std::vector<std::size_t> ReplicaReads::Gets(std::span<const Operation> operations, std::span<OperationResult> results,
                                            Deadline deadline) {
  std::vector<std::size_t> asked;
  std::vector<std::size_t> left;
  const bool resting = Resting();
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const bool may = !resting && operations[i].consistency == Consistency::kEventual;
    (may ? asked : left).push_back(i);
  }
  if (asked.empty()) return left;
  std::vector<Operation> chosen;
  chosen.reserve(asked.size());
  for (const std::size_t i : asked) chosen.push_back(operations[i]);
  std::vector<OperationResult> answers(chosen.size());
  reader_.Gets(chosen, answers, Patience(deadline));
  bool failed = false;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const bool answered = Answered(answers[i].status);
    failed = failed || !answered;
    if (answered && answers[i].version >= chosen[i].min_version) {
      replica_reads_.fetch_add(1, std::memory_order_relaxed);
      results[asked[i]] = std::move(answers[i]);
    } else {
      left.push_back(asked[i]);
    }
  }
  // A caller in a hurry says nothing about the replicas.
  if (failed && !deadline.Expired()) Rest();
  return left;
}

std::optional<ScanPage> ReplicaReads::Scan(const ScanRequest& request, Deadline deadline) {
  if (request.consistency != Consistency::kEventual || Resting()) return std::nullopt;
  Result<ScanPage> page = reader_.Scan(request, Patience(deadline));
  if (page.ok()) {
    replica_reads_.fetch_add(1, std::memory_order_relaxed);
    return std::move(*page);
  }
  if (page.error().code() != ErrorCode::kInvalidArgument && !deadline.Expired()) Rest();
  return std::nullopt;
}

ReadStatistics ReplicaReads::statistics() const {
  ReadStatistics statistics;
  statistics.primary_reads = primary_reads_.load(std::memory_order_relaxed);
  ReplicaStatistics all;
  all.name = options_.client.target.master;
  all.in_rotation = !Resting();
  all.lag = reader_.lag();
  all.reads = replica_reads_.load(std::memory_order_relaxed);
  statistics.replicas.push_back(std::move(all));
  return statistics;
}

}  // namespace holdfast::storage::redis_backend
