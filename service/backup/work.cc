#include "service/backup/work.h"

#include <algorithm>

namespace holdfast::backup {

using std::chrono::steady_clock;

namespace {

// Shorter ones cost more than they give.
constexpr std::chrono::milliseconds kShortestRest{2};

}  // namespace

Status Work::GoOn() const {
  if (stop_.stop_requested()) return Error(ErrorCode::kCancelled, "the service is stopping");
  if (deadline_.Expired()) {
    return Error(ErrorCode::kDeadlineExceeded,
                 "it took longer than backups.timeout; raise that, backups.rate or backups.work_percent");
  }
  return {};
}

void Work::WaitUntil(steady_clock::time_point time) {
  std::unique_lock lock(mutex_);
  wake_.wait_until(lock, stop_, std::min(time, deadline_.WaitUntil()), [] { return false; });
}

Status Work::Spend(std::uint64_t bytes) {
  if (pace_.rate > 0) {
    const auto before = steady_clock::now();
    WaitUntil(free_);
    const auto after = steady_clock::now();
    worked_since_ += after - before;
    const std::chrono::duration<double> price(static_cast<double>(bytes) / static_cast<double>(pace_.rate));
    free_ = std::max(free_, after) + std::chrono::duration_cast<steady_clock::duration>(price);
  }
  HOLDFAST_RETURN_IF_ERROR(GoOn());
  std::lock_guard lock(mutex_);
  progress_.bytes += bytes;
  return {};
}

Status Work::Rest() {
  if (pace_.work_percent == 100) return GoOn();
  const auto now = steady_clock::now();
  const auto rest = (now - worked_since_) * (100 - pace_.work_percent) / pace_.work_percent;
  if (rest < kShortestRest) return GoOn();
  WaitUntil(now + rest);
  worked_since_ = steady_clock::now();
  return GoOn();
}

void Work::Enter(std::string_view step, std::uint64_t total_bytes) {
  std::lock_guard lock(mutex_);
  progress_ = {step, 0, total_bytes};
}

Progress Work::progress() const {
  std::lock_guard lock(mutex_);
  return progress_;
}

}  // namespace holdfast::backup
