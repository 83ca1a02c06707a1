// What the API counts. Names and labels are published in docs/metrics.md. Thread-safe; counting takes no lock once a
// combination of labels has been seen.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics/metrics.h"
#include "service/http/http_message.h"
#include "service/storage/types.h"

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

// holdfast_documents_examined_total{store,by}
class DocumentMetrics {
 public:
  DocumentMetrics(metrics::Registry& registry, const std::string& store);
  // Documents that a query or count has read, as an index led to them or one after the other.
  void CountExamined(bool by_index, std::uint64_t documents) const {
    if (documents > 0) (by_index ? by_index_ : by_scan_).Increment(static_cast<double>(documents));
  }

 private:
  metrics::Counter& by_index_;
  metrics::Counter& by_scan_;
};

// How often each kind of call was made on one store since the start; what GET /v1/stores/{store} shows. Counting for
// Prometheus is the measured backend's (service/storage/measured_backend.h).
enum class Call { kGet, kPut, kDelete, kTake, kTouch, kIncrement, kScan, kCount, kDeleteRange, kTransact };
constexpr std::size_t kCallKinds = 10;
std::string_view CallName(Call call);
Call CallOf(storage::OperationKind kind);

class CallTally {
 public:
  void Count(Call call) { counts_[static_cast<std::size_t>(call)].fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t Total(Call call) const {
    return counts_[static_cast<std::size_t>(call)].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, kCallKinds> counts_{};
};

}  // namespace holdfast::api
