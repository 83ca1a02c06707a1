#include "service/api/metrics.h"

namespace holdfast::api {

using metrics::Counter;

std::string_view MethodName(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kHead:
      return "HEAD";
    case Method::kPut:
      return "PUT";
    case Method::kPost:
      return "POST";
    case Method::kDelete:
      return "DELETE";
    case Method::kOptions:
      return "OPTIONS";
    case Method::kPatch:
      return "PATCH";
    case Method::kOther:
      return "other";  // the name itself comes from the client and would be an unbounded label
  }
  return "other";
}

RequestMetrics::RequestMetrics(metrics::Registry& registry, std::vector<Slot> slots)
    : registry_(registry), slots_(std::move(slots)) {
  for (std::size_t i = 0; i < slots_.size(); ++i) rows_.push_back(std::make_unique<Row>());
}

Counter& RequestMetrics::Get(std::string_view route, Method method, int status) {
  return registry_.GetCounter(
      "holdfast_http_requests_total", "Requests answered, by route, method and status code.",
      {{"route", std::string(route)}, {"method", std::string(MethodName(method))}, {"code", std::to_string(status)}});
}

void RequestMetrics::Count(std::size_t slot, int status) {
  const auto index = static_cast<std::size_t>(status) - 100;
  if (index >= kStatuses) return CountOther(slots_[slot].route, slots_[slot].method, status);
  std::atomic<Counter*>& cell = (*rows_[slot])[index];
  Counter* counter = cell.load(std::memory_order_acquire);
  if (counter == nullptr) {
    counter = &Get(slots_[slot].route, slots_[slot].method, status);
    cell.store(counter, std::memory_order_release);
  }
  counter->Increment();
}

void RequestMetrics::CountOther(std::string_view route, Method method, int status) {
  Get(route, method, status).Increment();
}

std::string_view MeasuredName(Measured operation) {
  switch (operation) {
    case Measured::kGet:
      return "get";
    case Measured::kPut:
      return "put";
    case Measured::kDelete:
      return "delete";
    case Measured::kTake:
      return "take";
    case Measured::kTouch:
      return "touch";
    case Measured::kIncrement:
      return "increment";
    case Measured::kScan:
      return "scan";
    case Measured::kCount:
      return "count";
    case Measured::kDeleteRange:
      return "delete_range";
    case Measured::kTransact:
      return "transact";
  }
  return "other";
}

Measured MeasuredOf(storage::OperationKind kind) {
  switch (kind) {
    case storage::OperationKind::kGet:
      return Measured::kGet;
    case storage::OperationKind::kPut:
      return Measured::kPut;
    case storage::OperationKind::kDelete:
      return Measured::kDelete;
    case storage::OperationKind::kTake:
      return Measured::kTake;
    case storage::OperationKind::kTouch:
      return Measured::kTouch;
    case storage::OperationKind::kIncrement:
      return Measured::kIncrement;
  }
  return Measured::kGet;
}

OperationMetrics::OperationMetrics(metrics::Registry& registry, const storage::Store& store)
    : registry_(registry), store_(store.name), backend_(store.backend_name) {
  for (std::size_t i = 0; i < kMeasuredKinds; ++i) {
    const auto operation = static_cast<Measured>(i);
    durations_[i] = &registry_.GetHistogram(
        "holdfast_operation_duration_seconds", "Time from a request's hand-over to its store until the outcome.",
        {{"store", store_}, {"backend", backend_}, {"operation", std::string(MeasuredName(operation))}});
    CounterOf(operation, 0);  // the series exists from the start, so that a rate has a beginning
  }
}

Counter& OperationMetrics::CounterOf(Measured operation, std::size_t result) {
  std::atomic<Counter*>& cell = counts_[static_cast<std::size_t>(operation)][result];
  Counter* counter = cell.load(std::memory_order_acquire);
  if (counter == nullptr) {
    const std::string_view name = result == 0 ? "ok" : ErrorCodeName(static_cast<ErrorCode>(result - 1));
    counter =
        &registry_.GetCounter("holdfast_operations_total", "Operations on a store, by outcome: ok or an error code.",
                              {{"store", store_},
                               {"backend", backend_},
                               {"operation", std::string(MeasuredName(operation))},
                               {"result", std::string(name)}});
    cell.store(counter, std::memory_order_release);
  }
  return *counter;
}

void OperationMetrics::Count(Measured operation, const Status& status) {
  CounterOf(operation, status.ok() ? 0 : static_cast<std::size_t>(status.error().code()) + 1).Increment();
}

void OperationMetrics::Observe(Measured operation, std::chrono::steady_clock::duration elapsed) {
  durations_[static_cast<std::size_t>(operation)]->Observe(std::chrono::duration<double>(elapsed).count());
}

std::uint64_t OperationMetrics::Total(Measured operation) const {
  double total = 0;
  for (const auto& cell : counts_[static_cast<std::size_t>(operation)]) {
    const Counter* counter = cell.load(std::memory_order_acquire);
    if (counter != nullptr) total += counter->Value();
  }
  return static_cast<std::uint64_t>(total);
}

}  // namespace holdfast::api
