#include "service/resilience/retry_budget.h"

#include <algorithm>
#include <chrono>

namespace holdfast::resilience {
namespace {

constexpr double kWhole = 100;  // percent

}  // namespace

RetryBudget::RetryBudget(const RetryBudgetOptions& options, const Clock& clock)
    : clock_(clock),
      options_(options),
      tokens_(std::min(options.per_second, options.burst)),
      refilled_at_(clock.Monotonic()) {}

void RetryBudget::SetOptions(const RetryBudgetOptions& options) {
  std::lock_guard lock(mutex_);
  options_ = options;
  Add(0);
}

void RetryBudget::Add(double tokens) {
  tokens_ = std::min(tokens_ + tokens, static_cast<double>(options_.burst));
}

void RetryBudget::NoteCall() {
  std::lock_guard lock(mutex_);
  Add(options_.percent / kWhole);
}

bool RetryBudget::Take() {
  std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.Monotonic();
  Add(std::chrono::duration<double>(now - refilled_at_).count() * options_.per_second);
  refilled_at_ = now;
  const bool may = tokens_ >= 1;
  if (may) tokens_ -= 1;
  (may ? taken_ : refused_).fetch_add(1, std::memory_order_relaxed);
  return may;
}

}  // namespace holdfast::resilience
