// Gets of a tiered store: from copies that count, else from the system of record.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <vector>

#include "base/time/clock.h"
#include "service/composition/copies.h"
#include "service/composition/flights.h"
#include "service/composition/stamps.h"
#include "service/storage/backend.h"

namespace holdfast::composition {

// What was counted since the start.
struct TieredStatistics {
  std::uint64_t hits = 0;       // gets that a copy answered
  std::uint64_t misses = 0;     // gets that asked the system of record, or waited for one that did
  std::uint64_t coalesced = 0;  // of the misses, those that waited
};

// Takes copies of what was read.
using KeepCopies = std::function<void(const std::vector<Copies::New>& copies, Deadline deadline)>;

// Thread-safe.
class TieredReader {
 public:
  // All outlive it.
  TieredReader(storage::Backend& record, const Copies& copies, KeepCopies keep, const Stamps& stamps,
               const Clock& clock)
      : record_(record), copies_(copies), keep_(std::move(keep)), stamps_(stamps), clock_(clock) {}

  // Gets only.
  void Read(std::span<const storage::Operation> gets, std::span<storage::OperationResult> results, Deadline deadline);

  // Reads them from the system of record whatever copies there are, and keeps what came of it. Counts nothing.
  void Refill(std::span<const storage::Operation> gets, std::span<storage::OperationResult> results, Deadline deadline);

  TieredStatistics statistics() const;

 private:
  using Indexes = std::vector<std::size_t>;
  // A miss for which this call reads, or waits.
  struct Miss {
    std::size_t index = 0;
    Stamp stamp;
    std::shared_ptr<Flights::Flight> flight;
  };

  bool AnswerFrom(const std::optional<CachedCopy>& copy, const storage::Operation& get,
                  storage::OperationResult& result) const;
  void ReadThrough(std::span<const storage::Operation> gets, const Indexes& missing,
                   std::span<storage::OperationResult> results, const Deadline& deadline);
  // Reads for this call's flights, and for gets that have none; lands and keeps what came of it.
  void Fly(std::span<const storage::Operation> gets, const std::vector<Miss>& led, const Indexes& alone,
           std::span<storage::OperationResult> results, const Deadline& deadline);
  // Those for whom another call's flight failed, which may have had less time.
  Indexes Await(std::span<const storage::Operation> gets, const std::vector<Miss>& waiting,
                std::span<storage::OperationResult> results, const Deadline& deadline) const;

  storage::Backend& record_;
  const Copies& copies_;
  const KeepCopies keep_;
  const Stamps& stamps_;
  const Clock& clock_;
  Flights flights_;
  std::atomic<std::uint64_t> hits_{0};
  std::atomic<std::uint64_t> misses_{0};
  std::atomic<std::uint64_t> coalesced_{0};
};

}  // namespace holdfast::composition
