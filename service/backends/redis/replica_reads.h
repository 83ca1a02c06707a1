// Reads that may be late (Consistency::kEventual), answered by the replicas that the sentinels name. Each answer comes
// with the proof of its age in the same round trip (beats.h): what it leaves out was written less than
// max_replication_lag before it was asked for. Whatever a replica cannot answer within replica_timeout, or answers with
// less than the version the caller has seen, is left for the master; after a failure the replicas are left alone for
// kReplicaRest.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/redis/client.h"
#include "service/backends/redis/beats.h"
#include "service/backends/redis/reader.h"
#include "service/backends/redis/redis_options.h"
#include "service/backends/redis/scripts.h"
#include "service/storage/backend.h"

namespace holdfast::storage::redis_backend {

inline constexpr std::chrono::seconds kReplicaRest{1};

// Thread-safe.
class ReplicaReads {
 public:
  // Of the replicas of the master that `options` are for; connects when it is first asked. kInvalidArgument without
  // sentinels, who know them.
  static Result<std::unique_ptr<redis::Client>> MakeClient(redis::Options options);
  // Everything else given outlives it.
  ReplicaReads(std::unique_ptr<redis::Client> client, const Scripts& scripts, const RedisOptions& options,
               const Partitions& partitions, const Clock* clock);

  // Where the rows of `instance` go once they are written.
  Beats& beats() { return beats_; }
  void SetInstance(std::string instance) { reader_.AskForBeatsOf(std::move(instance), &beats_); }

  // Of gets only. The places of those that the master has to be asked, which have no result yet.
  std::vector<std::size_t> Gets(std::span<const Operation> operations, std::span<OperationResult> results,
                                Deadline deadline);
  // nullopt: the master has to be asked.
  std::optional<ScanPage> Scan(const ScanRequest& request, Deadline deadline);

  void CountPrimaryReads(std::uint64_t reads) { primary_reads_.fetch_add(reads, std::memory_order_relaxed); }
  ReadStatistics statistics() const;
  void Close() { client_->Close(); }

 private:
  bool Resting() const;
  void Rest();
  Deadline Patience(Deadline given) const { return given.Sooner(Deadline::After(options_.replica_timeout)); }

  const RedisOptions& options_;
  const std::unique_ptr<redis::Client> client_;
  Beats beats_;
  Reader reader_;
  std::atomic<std::int64_t> rests_until_{0};  // of the steady clock, in its ticks
  std::atomic<std::uint64_t> replica_reads_{0};
  std::atomic<std::uint64_t> primary_reads_{0};
};

}  // namespace holdfast::storage::redis_backend
