#include "service/resilience/bulkhead.h"

namespace holdfast::resilience {

void Bulkhead::SetOptions(const BulkheadOptions& options) {
  {
    std::lock_guard lock(mutex_);
    options_ = options;
  }
  left_.notify_all();
}

Bulkhead::Place Bulkhead::Enter(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const auto free = [this] { return calls_ < options_.max_calls; };
  const Deadline patience = deadline.Sooner(Deadline::After(options_.max_wait));
  if (!free() && !left_.wait_until(lock, patience.WaitUntil(), free)) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  ++calls_;
  return Place(this);
}

int Bulkhead::calls() const {
  std::lock_guard lock(mutex_);
  return calls_;
}

void Bulkhead::Leave() {
  {
    std::lock_guard lock(mutex_);
    --calls_;
  }
  left_.notify_one();
}

}  // namespace holdfast::resilience
