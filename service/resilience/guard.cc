#include "service/resilience/guard.h"

#include <fmt/format.h>

namespace holdfast::resilience {

using storage::Operation;

namespace {

RetryBudgetOptions HedgeBudget(const Options& options) {
  return {options.hedge ? options.hedge->percent : 0, kHedgesPerSecond, kHedgeBurst};
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

Guard::Guard(std::string name, const Options& options, const Clock& clock)
    : name_(std::move(name)),
      options_(options),
      budget_(options.budget, clock),
      hedge_budget_(HedgeBudget(options), clock) {
  if (options_.breaker) {
    for (auto& circuit : circuits_) circuit = std::make_unique<CircuitBreaker>(options_.circuit, clock);
  }
  if (options_.bulkhead) bulkhead_ = std::make_unique<Bulkhead>(*options_.bulkhead);
}

std::optional<Error> Guard::Refusal(Lane lane) const {
  const CircuitBreaker* const breaker = circuit(lane);
  if (breaker == nullptr || !breaker->refuses()) return std::nullopt;
  return CircuitOpen(lane);
}

Error Guard::CircuitOpen(Lane lane) const {
  const CircuitBreaker* const breaker = circuit(lane);
  const auto retry_in = breaker == nullptr ? std::chrono::milliseconds::zero() : breaker->RetryIn();
  return {
      ErrorCode::kCircuitOpen,
      fmt::format("backend {} failed too often and is given time to recover ({} calls); nothing was attempted, it is "
                  "tried again in {:.1f} s",
                  name_, LaneName(lane), static_cast<double>(retry_in.count()) / 1000)};
}

}  // namespace holdfast::resilience
