// The reading half of the Redis backend: one round trip for any number of gets, pages of the ordered index by a script.
#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "base/redis/client.h"
#include "service/backends/redis/beats.h"
#include "service/backends/redis/redis_options.h"
#include "service/backends/redis/scripts.h"
#include "service/storage/backend.h"

namespace holdfast::storage::redis_backend {

// Thread-safe.
class Reader {
 public:
  // `clock` null: the server's.
  Reader(redis::Client& client, const Scripts& scripts, const RedisOptions& options, const Clock* clock)
      : client_(client), scripts_(scripts), options_(options), clock_(clock) {}

  // The servers are replicas: every answer has to prove by what it shows of this instance that it lacks nothing older
  // than max_replication_lag, and is kUnavailable otherwise. Before the first read.
  void AskForBeatsOf(std::string instance, const Beats* beats);
  // How old the state was that the last answer showed; 0: nothing was missing.
  std::chrono::microseconds lag() const { return std::chrono::microseconds{lag_.load(std::memory_order_relaxed)}; }

  // Of gets only.
  void Gets(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) const;
  Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline) const;
  Result<std::uint64_t> Count(const KeyRange& range, Deadline deadline) const;

 private:
  void AskForBeat(redis::Pipeline& pipeline) const;
  Status CheckBeat(Result<redis::Value> reply, Beats::Time asked_at) const;

  redis::Client& client_;
  const Scripts& scripts_;
  const RedisOptions& options_;
  const Clock* clock_;
  std::string instance_;
  const Beats* beats_ = nullptr;
  mutable std::atomic<std::int64_t> lag_{0};  // microseconds
};

}  // namespace holdfast::storage::redis_backend
