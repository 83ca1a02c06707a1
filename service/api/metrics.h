// What the API counts. Names and labels are published in docs/metrics.md. Thread-safe; counting takes no lock once a
// combination of labels has been seen.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/result/result.h"
#include "service/http/http_message.h"
#include "service/storage/store.h"

namespace holdfast::api {

std::string_view MethodName(Method method);

// holdfast_http_requests_total{route,method,code}
class RequestMetrics {
 public:
  // `slots`: the route and method of each endpoint; Count takes the index into it.
  struct Slot {
    std::string_view route;
    Method method;
  };
  RequestMetrics(metrics::Registry& registry, std::vector<Slot> slots);

  void Count(std::size_t slot, int status);
  // For requests that reached no endpoint; `route` is "none" when no path matched.
  void CountOther(std::string_view route, Method method, int status);

 private:
  static constexpr std::size_t kStatuses = 512;  // 100..611
  using Row = std::array<std::atomic<metrics::Counter*>, kStatuses>;

  metrics::Counter& Get(std::string_view route, Method method, int status);

  metrics::Registry& registry_;
  const std::vector<Slot> slots_;
  std::vector<std::unique_ptr<Row>> rows_;
};

enum class Measured { kGet, kPut, kDelete, kTake, kTouch, kIncrement, kScan, kCount, kDeleteRange, kTransact };
constexpr std::size_t kMeasuredKinds = 10;
std::string_view MeasuredName(Measured operation);
Measured MeasuredOf(storage::OperationKind kind);

// holdfast_operations_total{store,backend,operation,result} and
// holdfast_operation_duration_seconds{store,backend,operation} of one store.
class OperationMetrics {
 public:
  OperationMetrics(metrics::Registry& registry, const storage::Store& store);

  void Count(Measured operation, const Status& status);
  void Observe(Measured operation, std::chrono::steady_clock::duration elapsed);
  // All results together; what GET /v1/stores/{store} shows.
  std::uint64_t Total(Measured operation) const;

 private:
  static constexpr std::size_t kResults = static_cast<std::size_t>(ErrorCode::kInternal) + 2;  // ok and every code

  metrics::Counter& CounterOf(Measured operation, std::size_t result);

  metrics::Registry& registry_;
  const std::string store_;
  const std::string backend_;
  std::array<metrics::Histogram*, kMeasuredKinds> durations_{};
  std::array<std::array<std::atomic<metrics::Counter*>, kResults>, kMeasuredKinds> counts_{};
};

}  // namespace holdfast::api
