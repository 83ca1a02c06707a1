#include "service/composition/quarantine.h"

namespace holdfast::composition {

void Quarantine::Hold(std::unique_ptr<Stamps::Writing> writing) {
  std::lock_guard lock(mutex_);
  held_.push_back({clock_.Monotonic() + duration_, std::move(writing)});
  any_.store(true, std::memory_order_release);
}

void Quarantine::Release() {
  if (!any_.load(std::memory_order_acquire)) return;
  std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.Monotonic();
  while (!held_.empty() && held_.front().until <= now) held_.pop_front();
  if (held_.empty()) any_.store(false, std::memory_order_release);
}

}  // namespace holdfast::composition
