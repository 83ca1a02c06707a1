// Which reads go to a replica: those that allow it (Consistency::kEventual), while one is in rotation. Whatever a
// replica cannot answer in replica_timeout, or answers with less than the version the caller has seen, the primary is
// asked.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "service/backends/postgres/replica.h"

namespace holdfast::storage::postgres {

// Thread-safe.
class ReadSplit {
 public:
  // Everything given outlives it. Each of replica_urls names one host. Starts nothing when there are none.
  ReadSplit(const Reader& primary, const PostgresOptions& options, const Statements& statements, const Clock* clock,
            PrimaryChoice& choice, const ChangeLog& changes, Watchdog& watchdog);
  ~ReadSplit() { Close(); }
  ReadSplit(const ReadSplit&) = delete;
  ReadSplit& operator=(const ReadSplit&) = delete;

  // Only gets.
  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline);
  Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline);

  // Nullopt without replicas.
  std::optional<ReadStatistics> statistics() const;
  // Idempotent.
  void Close();

 private:
  // The next in rotation; null when there is none.
  Replica* Pick();
  // Answers what it can and returns what is left for the primary.
  std::vector<std::size_t> AskReplica(std::span<const Operation> operations, std::span<OperationResult> results,
                                      std::vector<std::size_t> places, Deadline deadline);
  Deadline OfReplica(Deadline given) const { return given.Sooner(Deadline::After(options_.replica_timeout)); }

  const Reader& primary_;
  const PostgresOptions& options_;
  std::unique_ptr<Beats> beats_;
  std::vector<std::unique_ptr<Replica>> replicas_;  // constant after construction
  std::atomic<std::size_t> turn_{0};
  std::atomic<std::uint64_t> reads_of_primary_{0};
};

}  // namespace holdfast::storage::postgres
