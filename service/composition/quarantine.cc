#include "service/composition/quarantine.h"

namespace holdfast::composition {

void Quarantine::Hold(std::unique_ptr<Stamps::Writing> writing) {
  std::lock_guard lock(mutex_);
  const MonotonicTime until = clock_.Monotonic() + duration_;
  if (held_.size() < most_) {
    held_.push_back({until, std::move(writing)});
  } else {
    if (!overflow_) overflow_ = std::make_unique<Stamps::Clearing>(stamps_);
    overflow_until_ = until;
  }
  any_.store(true, std::memory_order_release);
}

void Quarantine::Release() {
  if (!any_.load(std::memory_order_acquire)) return;
  std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.Monotonic();
  while (!held_.empty() && held_.front().until <= now) held_.pop_front();
  if (overflow_ && overflow_until_ <= now) overflow_.reset();
  if (held_.empty() && !overflow_) any_.store(false, std::memory_order_release);
}

}  // namespace holdfast::composition
