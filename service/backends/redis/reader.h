// The reading half of the Redis backend: one round trip for any number of gets, pages of the ordered index by a script.
// Of a Redis Cluster all nodes are asked at once, and a page is merged from those of the partitions.
#pragma once

#include <atomic>
#include <chrono>
#include <span>
#include <string>

#include "base/redis/client.h"
#include "service/backends/redis/beats.h"
#include "service/backends/redis/partitions.h"
#include "service/backends/redis/redis_options.h"
#include "service/backends/redis/scripts.h"
#include "service/storage/backend.h"

namespace holdfast::storage::redis_backend {

// Thread-safe.
class Reader {
 public:
  // `clock` null: the server's.
  Reader(redis::Client& client, const Scripts& scripts, const RedisOptions& options, const Partitions& partitions,
         const Clock* clock)
      : client_(client), scripts_(scripts), options_(options), partitions_(partitions), clock_(clock) {}

  // The servers are replicas: every answer has to prove by what it shows of this instance that it lacks nothing older
  // than max_replication_lag, and is kUnavailable otherwise. Before the first read.
  void AskForBeatsOf(std::string instance, const Beats* beats);
  // How old the state was that the last answer showed; 0: nothing was missing.
  std::chrono::microseconds lag() const { return std::chrono::microseconds{lag_.load(std::memory_order_relaxed)}; }

  // Of gets only.
  void Gets(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) const;
  // Of several partitions it holds beside the page at most as much again, and an entry of each partition.
  Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline) const;
  Result<std::uint64_t> Count(const KeyRange& range, Deadline deadline) const;

 private:
  struct Part;
  // Fills each of the parts with its next page of at most so much, all at once.
  Status Fill(const ScanRequest& request, std::span<Part* const> parts, std::size_t limit, std::size_t bytes,
              Deadline deadline) const;
  Result<ScanPage> Merge(const ScanRequest& request, Deadline deadline) const;
  std::size_t PageLimit(const ScanRequest& request) const;
  void AskForBeat(redis::Pipeline& pipeline) const;
  Status CheckBeat(Result<redis::Value> reply, Beats::Time asked_at) const;

  redis::Client& client_;
  const Scripts& scripts_;
  const RedisOptions& options_;
  const Partitions& partitions_;
  const Clock* clock_;
  std::string instance_;
  const Beats* beats_ = nullptr;
  mutable std::atomic<std::int64_t> lag_{0};  // microseconds
};

}  // namespace holdfast::storage::redis_backend
