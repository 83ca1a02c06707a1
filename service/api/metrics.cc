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

DocumentMetrics::DocumentMetrics(metrics::Registry& registry, const std::string& store)
    : by_index_(registry.GetCounter("holdfast_documents_examined_total", "Documents read to answer queries and counts.",
                                    {{"store", store}, {"by", "index"}})),
      by_scan_(registry.GetCounter("holdfast_documents_examined_total", "Documents read to answer queries and counts.",
                                   {{"store", store}, {"by", "scan"}})) {}

std::string_view CallName(Call call) {
  switch (call) {
    case Call::kGet:
      return "get";
    case Call::kPut:
      return "put";
    case Call::kDelete:
      return "delete";
    case Call::kTake:
      return "take";
    case Call::kTouch:
      return "touch";
    case Call::kIncrement:
      return "increment";
    case Call::kScan:
      return "scan";
    case Call::kCount:
      return "count";
    case Call::kDeleteRange:
      return "delete_range";
    case Call::kTransact:
      return "transact";
  }
  return "other";
}

Call CallOf(storage::OperationKind kind) {
  switch (kind) {
    case storage::OperationKind::kGet:
      return Call::kGet;
    case storage::OperationKind::kPut:
      return Call::kPut;
    case storage::OperationKind::kDelete:
      return Call::kDelete;
    case storage::OperationKind::kTake:
      return Call::kTake;
    case storage::OperationKind::kTouch:
      return Call::kTouch;
    case storage::OperationKind::kIncrement:
      return Call::kIncrement;
  }
  return Call::kGet;
}

}  // namespace holdfast::api
