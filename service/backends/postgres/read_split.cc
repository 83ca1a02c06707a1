#include "service/backends/postgres/read_split.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::storage::postgres {
namespace {

using std::chrono::milliseconds;

// Often enough that a replica that keeps up is never near the limit; no more than one small write a second.
constexpr milliseconds kMostInterval{1'000};
constexpr milliseconds kLeastInterval{50};

milliseconds IntervalOf(const PostgresOptions& options) {
  return std::clamp(options.max_replication_lag / 4, kLeastInterval, kMostInterval);
}

// host:port; the url itself may hold a password.
std::string NameOf(const std::string& url) {
  const std::vector<HostAndPort> hosts = HostsOf(url);
  return fmt::format("{}:{}", hosts.at(0).host, hosts.at(0).port);
}

}  // namespace

ReadSplit::ReadSplit(const Reader& primary, const PostgresOptions& options, const Statements& statements,
                     const Clock* clock, PrimaryChoice& choice, const ChangeLog& changes, Watchdog& watchdog)
    : primary_(primary), options_(options) {
  if (options.replica_urls.empty()) return;
  const milliseconds interval = IntervalOf(options);
  beats_ = std::make_unique<Beats>(statements, options, choice, changes, watchdog, interval,
                                   options.max_replication_lag + 2 * interval);
  for (const std::string& url : options.replica_urls) {
    replicas_.push_back(
        std::make_unique<Replica>(NameOf(url), url, options, statements, clock, *beats_, choice, watchdog, interval));
  }
}

Replica* ReadSplit::Pick() {
  const std::size_t first = turn_.fetch_add(1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    Replica& replica = *replicas_[(first + i) % replicas_.size()];
    if (replica.InRotation()) return &replica;
  }
  return nullptr;
}

std::vector<std::size_t> ReadSplit::AskReplica(std::span<const Operation> operations,
                                               std::span<OperationResult> results, std::vector<std::size_t> places,
                                               Deadline deadline) {
  Replica* const replica = places.empty() ? nullptr : Pick();
  if (replica == nullptr) return places;
  const Status read = replica->reader().Gets(operations, results, places, OfReplica(deadline));
  if (!read.ok()) {
    // A caller in a hurry says nothing about the replica.
    if (!deadline.Expired()) replica->Suspend();
    return places;
  }
  const std::size_t asked = places.size();
  std::erase_if(places, [&](std::size_t i) { return results[i].version >= operations[i].min_version; });
  replica->CountReads(asked - places.size());
  return places;
}

void ReadSplit::Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) {
  std::vector<std::size_t> strong;
  std::vector<std::size_t> eventual;
  strong.reserve(operations.size());
  for (std::size_t i = 0; i < operations.size(); ++i) {
    results[i] = OperationResult{};
    results[i].status = Validate(operations[i], options_.limits);
    if (!results[i].status.ok()) continue;
    const bool may = !replicas_.empty() && operations[i].consistency == Consistency::kEventual;
    (may ? eventual : strong).push_back(i);
  }
  eventual = AskReplica(operations, results, std::move(eventual), deadline);
  strong.insert(strong.end(), eventual.begin(), eventual.end());
  if (strong.empty()) return;
  reads_of_primary_.fetch_add(strong.size(), std::memory_order_relaxed);
  const Status read = primary_.Gets(operations, results, strong, deadline);
  if (read.ok()) return;
  for (const std::size_t i : strong) {
    results[i] = OperationResult{};
    results[i].status = read.error();
  }
}

Result<ScanPage> ReadSplit::Scan(const ScanRequest& request, Deadline deadline) {
  Replica* const replica = request.consistency == Consistency::kEventual ? Pick() : nullptr;
  if (replica != nullptr) {
    HOLDFAST_RETURN_IF_ERROR(Validate(request));
    Result<ScanPage> page = replica->reader().Scan(request, OfReplica(deadline));
    if (page.ok()) {
      replica->CountReads(1);
      return page;
    }
    if (!deadline.Expired()) replica->Suspend();
  }
  reads_of_primary_.fetch_add(1, std::memory_order_relaxed);
  return primary_.Scan(request, deadline);
}

std::optional<ReadStatistics> ReadSplit::statistics() const {
  if (replicas_.empty()) return std::nullopt;
  ReadStatistics statistics;
  statistics.primary_reads = reads_of_primary_.load(std::memory_order_relaxed);
  for (const auto& replica : replicas_) statistics.replicas.push_back(replica->statistics());
  return statistics;
}

void ReadSplit::Close() {
  for (const auto& replica : replicas_) replica->Close();
  if (beats_) beats_->Stop();
}

}  // namespace holdfast::storage::postgres
