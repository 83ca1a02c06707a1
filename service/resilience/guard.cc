#include "service/resilience/guard.h"

#include <fmt/format.h>

namespace holdfast::resilience {

using storage::Operation;

namespace {

RetryBudgetOptions HedgeBudget(const Options& options) {
  return {options.hedge ? options.hedge->percent : 0, kHedgesPerSecond, kHedgeBurst};
}

// Whoever calls a backend was told at the start whether its calls may wait, and metrics whether there is what they
// count.
bool SameParts(const Options& a, const Options& b) {
  const auto waits = [](const Options& options) { return options.bulkhead && options.bulkhead->max_wait.count() > 0; };
  const auto hedges = [](const Options& options) { return options.hedge ? options.hedge->calls : 0; };
  return a.breaker == b.breaker && (a.attempts > 1) == (b.attempts > 1) &&
         a.bulkhead.has_value() == b.bulkhead.has_value() && waits(a) == waits(b) && hedges(a) == hedges(b);
}

}  // namespace

std::string_view LaneName(Lane lane) {
  switch (lane) {
    case Lane::kRead:
      return "read";
    case Lane::kEventualRead:
      return "eventual_read";
    case Lane::kWrite:
      return "write";
  }
  return "unknown";
}

Lane LaneOf(const Operation& operation) {
  if (storage::IsWrite(operation.kind)) return Lane::kWrite;
  return operation.consistency == storage::Consistency::kEventual ? Lane::kEventualRead : Lane::kRead;
}

Lane LaneOf(std::span<const Operation> operations) {
  if (operations.empty()) return Lane::kRead;
  Lane lane = LaneOf(operations.front());
  for (const Operation& operation : operations) {
    const Lane own = LaneOf(operation);
    if (own == Lane::kWrite) return own;
    if (own != lane) lane = Lane::kRead;
  }
  return lane;
}

std::string_view SubjectName(Subject subject) {
  return subject == Subject::kStore ? "store" : "backend";
}

Guard::Guard(std::string name, const Options& options, const Clock& clock, Subject subject)
    : name_(std::move(name)),
      subject_(subject),
      options_(given_.emplace_back(std::make_unique<const Options>(options)).get()),
      budget_(options.budget, clock),
      hedge_budget_(HedgeBudget(options), clock) {
  if (options.breaker) {
    for (auto& circuit : circuits_) circuit = std::make_unique<CircuitBreaker>(options.circuit, clock);
  }
  if (options.bulkhead) bulkhead_ = std::make_unique<Bulkhead>(*options.bulkhead);
}

bool Guard::SetOptions(const Options& options) {
  const std::lock_guard lock(mutex_);
  if (!SameParts(*given_.back(), options)) return false;
  if (options.breaker) {
    for (const auto& circuit : circuits_) circuit->SetOptions(options.circuit);
  }
  if (options.bulkhead) bulkhead_->SetOptions(*options.bulkhead);
  budget_.SetOptions(options.budget);
  hedge_budget_.SetOptions(HedgeBudget(options));
  options_.store(given_.emplace_back(std::make_unique<const Options>(options)).get(), std::memory_order_release);
  return true;
}

std::string Guard::Called() const {
  return fmt::format("{} {}", SubjectName(subject_), name_);
}

std::optional<Error> Guard::Refusal(Lane lane) const {
  const CircuitBreaker* const breaker = circuit(lane);
  if (breaker == nullptr || !breaker->refuses()) return std::nullopt;
  return CircuitOpen(lane);
}

Error Guard::CircuitOpen(Lane lane) const {
  const CircuitBreaker* const breaker = circuit(lane);
  const auto retry_in = breaker == nullptr ? std::chrono::milliseconds::zero() : breaker->RetryIn();
  return {ErrorCode::kCircuitOpen,
          fmt::format("{} failed too often and is given time to recover ({} calls); nothing was attempted, it is "
                      "tried again in {:.1f} s",
                      Called(), LaneName(lane), static_cast<double>(retry_in.count()) / 1000)};
}

}  // namespace holdfast::resilience
