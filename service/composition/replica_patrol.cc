#include "service/composition/replica_patrol.h"

#include <algorithm>
#include <span>

#include "service/composition/failover_rows.h"
#include "service/dual_write/comparison.h"

namespace holdfast::composition {
namespace {

constexpr std::size_t kPageRows = 500;
// Looked at again together, under the locks of all.
constexpr std::size_t kKeysAtOnce = 50;
constexpr std::uint64_t kMicrosecondsPerSecond = 1'000'000;

Error Stopped() {
  return {ErrorCode::kCancelled, "the comparison of the replicas was stopped"};
}

}  // namespace

ReplicaPatrol::ReplicaPatrol(ReplicaGroup& group, const ReplicaOptions& options, Mend mend, const Clock& clock)
    : group_(group), options_(options), mend_(std::move(mend)), clock_(clock) {
  status_.enabled = options_.compare_interval.count() > 0;
}

void ReplicaPatrol::Start() {
  if (options_.compare_interval.count() > 0) task_.emplace(options_.compare_interval, [this] { RunRound(); });
}

void ReplicaPatrol::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stopped_.notify_all();
  }
  if (task_) task_->Stop();
}

void ReplicaPatrol::RunRound() {
  Round round;
  Status whole = group_.AwaitSettled(Patience());
  std::vector<std::size_t> readers;
  if (whole.ok()) {
    auto up = group_.Readers(1, Patience());
    if (up.ok()) {
      readers = *std::move(up);
    } else {
      whole = up.error();
    }
  }
  for (std::size_t i = 1; i < readers.size() && whole.ok(); ++i) whole = Compare(readers[0], readers[i], &round);
  if (whole.ok() && readers.size() < group_.size()) {
    whole = Error(ErrorCode::kUnavailable, "not all replicas are up, and those that are not were not compared");
  }
  storage::ReplicaComparisonStatus now;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    ++(whole.ok() ? status_.rounds : status_.unfinished);
    status_.keys += round.keys;
    status_.mended += round.found.mended;
    status_.undecided = round.found.different - round.found.mended;
    status_.ended = clock_.Now();
    status_.reason = whole.ok() ? std::string() : whole.error().message();
    now = status_;
  }
  if (round.found.different > 0 && options_.on_compared) options_.on_compared(round.found.mended, now);
}

Status ReplicaPatrol::Compare(std::size_t leader, std::size_t replica, Round* round) {
  storage::Backend& source = group_.rows(leader).backend();
  storage::Backend& target = group_.rows(replica).backend();
  const storage::KeyRange range = FailoverRange(FailoverRow::kCopy, options_.range);
  for (std::string reached;;) {
    // What is written from here on is not what the pages show.
    const storage::Version until = group_.NextVersion();
    storage::ScanRequest request;
    request.range = range;
    request.limit = kPageRows;
    if (!reached.empty()) request.after = reached;
    HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, source.Scan(request, Patience()));
    HOLDFAST_ASSIGN_OR_RETURN(
        const dual_write::Comparison compared,
        dual_write::ComparePage(page, range, reached, target.limits().max_scan_entries,
                                [&](const storage::ScanRequest& same) { return target.Scan(same, Patience()); }));
    HOLDFAST_RETURN_IF_ERROR(Look(compared.different, until, round));
    round->keys += compared.keys;
    if (compared.complete) return {};
    reached = compared.reached;
    if (!Pause(std::max<std::uint64_t>(compared.keys, 1))) return Stopped();
  }
}

Status ReplicaPatrol::Look(const std::vector<std::string>& rows, storage::Version until, Round* round) {
  std::vector<std::string> keys;
  for (const std::string& row : rows) {
    if (auto key = KeyOfRow(FailoverRow::kCopy, row)) keys.push_back(*std::move(key));
  }
  for (std::size_t at = 0; at < keys.size(); at += kKeysAtOnce) {
    const auto begin = keys.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = begin + static_cast<std::ptrdiff_t>(std::min(kKeysAtOnce, keys.size() - at));
    HOLDFAST_ASSIGN_OR_RETURN(const MendedKeys found, mend_(std::vector<std::string>(begin, end), until));
    round->found.different += found.different;
    round->found.mended += found.mended;
  }
  return {};
}

bool ReplicaPatrol::Pause(std::uint64_t keys) {
  std::unique_lock lock(mutex_);
  const std::chrono::microseconds pause{keys * kMicrosecondsPerSecond / options_.compare_rate};
  stopped_.wait_for(lock, pause, [this] { return stopping_; });
  return !stopping_;
}

storage::ReplicaComparisonStatus ReplicaPatrol::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace holdfast::composition
