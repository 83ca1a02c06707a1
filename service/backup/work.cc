#include "service/backup/work.h"

#include <algorithm>

namespace holdfast::backup {

using std::chrono::steady_clock;

Status Work::GoOn() const {
  if (stop_.stop_requested()) return Error(ErrorCode::kCancelled, "the service is stopping");
  if (deadline_.Expired()) {
    return Error(ErrorCode::kDeadlineExceeded, "it took longer than backups.timeout; raise that, or backups.rate");
  }
  return {};
}

Status Work::Spend(std::uint64_t bytes) {
  if (rate_ > 0) {
    std::unique_lock lock(mutex_);
    wake_.wait_until(lock, stop_, std::min(free_, deadline_.WaitUntil()), [] { return false; });
    const std::chrono::duration<double> price(static_cast<double>(bytes) / static_cast<double>(rate_));
    free_ = std::max(free_, steady_clock::now()) + std::chrono::duration_cast<steady_clock::duration>(price);
  }
  HOLDFAST_RETURN_IF_ERROR(GoOn());
  std::lock_guard lock(mutex_);
  progress_.bytes += bytes;
  return {};
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
