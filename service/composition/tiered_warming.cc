// The cache of a tiered store, filled before anybody asks.
#include <algorithm>

#include "service/composition/tiered_backend.h"

namespace holdfast::composition {

using storage::Operation;
using storage::OperationResult;

namespace {

constexpr std::size_t kKeysAtOnce = 256;

}  // namespace

Result<storage::WarmReport> TieredBackend::Warm(const storage::KeyRange& range, const storage::WarmLimits& limits,
                                                Deadline deadline) {
  const auto begun = std::chrono::steady_clock::now();
  storage::WarmReport report;
  while (!report.complete && report.entries < limits.entries && report.bytes < limits.bytes && !deadline.Expired()) {
    if (freshness_ && !freshness_->Holds()) {
      return Error(ErrorCode::kUnavailable,
                   "it is not certain that every change is heard of, so no copy would be shown; try again when the "
                   "store's backend tells its changes");
    }
    Status read = WarmPage(range, limits, &report, deadline);
    if (!read.ok() && deadline.Expired()) break;
    HOLDFAST_RETURN_IF_ERROR(std::move(read));
    if (limits.per_second == 0 || report.complete) continue;
    const std::chrono::duration<double> due(static_cast<double>(report.entries) /
                                            static_cast<double>(limits.per_second));
    const auto until = begun + std::chrono::duration_cast<std::chrono::steady_clock::duration>(due);
    if (!Pause(std::min(until, deadline.WaitUntil()))) return Error(ErrorCode::kCancelled, "the service is stopping");
  }
  return report;
}

Status TieredBackend::WarmPage(const storage::KeyRange& range, const storage::WarmLimits& limits,
                               storage::WarmReport* report, const Deadline& deadline) {
  storage::ScanRequest request;
  request.range = range;
  request.keys_only = true;
  request.limit = static_cast<std::size_t>(std::min<std::uint64_t>(kKeysAtOnce, limits.entries - report->entries));
  if (!report->last.empty()) request.after = report->last;
  HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, backend().Scan(request, deadline));
  std::vector<Operation> gets;
  for (const storage::KeyedEntry& found : page.entries) {
    if (report->bytes >= limits.bytes) break;
    report->bytes += found.key.size() + found.value_bytes;
    report->last = found.key;
    gets.push_back(Operation::Get(found.key));
  }
  report->complete = page.complete && gets.size() == page.entries.size();
  if (gets.empty()) return {};
  std::vector<OperationResult> results(gets.size());
  reader_.Refill(gets, results, deadline);
  for (const OperationResult& result : results) {
    if (result.status.ok()) {
      ++report->entries;
    } else if (result.status.error().code() != ErrorCode::kNotFound) {  // deleted meanwhile
      return result.status;
    }
  }
  return {};
}

bool TieredBackend::Pause(MonotonicTime until) {
  std::unique_lock lock(warming_mutex_);
  return !warming_ends_.wait_until(lock, until, [this] { return closed_.load(std::memory_order_acquire); });
}

}  // namespace holdfast::composition
