#include "service/composition/freshness.h"

#include <algorithm>

namespace holdfast::composition {
namespace {

// Often enough that a question that takes its time does not let the copies go stale.
constexpr int kQuestions = 5;

}  // namespace

Freshness::Freshness(storage::Backend& backend, std::chrono::microseconds max_staleness, const Clock& clock)
    : backend_(backend),
      max_staleness_(max_staleness),
      clock_(clock),
      certain_((clock.Monotonic() - max_staleness - std::chrono::microseconds{1}).time_since_epoch().count()),
      asking_(max_staleness / kQuestions, [this] { Ask(); }) {}

void Freshness::Ask() {
  const MonotonicTime asked = clock_.Monotonic();
  if (!backend_.AwaitListener()) return;
  certain_.store(asked.time_since_epoch().count(), std::memory_order_release);
}

std::chrono::microseconds Freshness::Staleness() const {
  const MonotonicTime certain{MonotonicTime::duration{certain_.load(std::memory_order_acquire)}};
  return std::chrono::duration_cast<std::chrono::microseconds>(clock_.Monotonic() - certain);
}

bool Freshness::Holds() const {
  return Staleness() <= max_staleness_;
}

}  // namespace holdfast::composition
