#include "service/storage/measured_backend.h"

#include <array>
#include <atomic>
#include <type_traits>

#include "service/storage/forwarding_backend.h"

namespace holdfast::storage {
namespace {

// The rows of the label `operation`: the kinds of types.h first, in their order.
constexpr std::array<std::string_view, 10> kRows = {"get",       "put",      "delete", "take",  "touch",
                                                    "increment", "transact", "scan",   "count", "delete_range"};
constexpr std::size_t kTransact = 6;
constexpr std::size_t kScan = 7;
constexpr std::size_t kCount = 8;
constexpr std::size_t kDeleteRange = 9;

constexpr std::size_t kResults = 2 + static_cast<std::size_t>(ErrorCode::kInternal);

std::size_t RowOf(OperationKind kind) {
  return static_cast<std::size_t>(kind);
}

// 0 is ok.
std::size_t ResultOf(const Status& status) {
  return status.ok() ? 0 : 1 + static_cast<std::size_t>(status.error().code());
}

template <typename T>
std::size_t ResultOf(const Result<T>& result) {
  return result.ok() ? 0 : 1 + static_cast<std::size_t>(result.error().code());
}

// Thread-safe. A counter is made when its result first happens, so that a store does not show a hundred zeros; after
// that it costs one load to find.
class OperationMetrics {
 public:
  OperationMetrics(const std::string& store, const std::string& backend, metrics::Registry& registry)
      : store_(store), backend_(backend), registry_(registry) {
    for (std::size_t row = 0; row < kRows.size(); ++row) {
      CounterOf(row, 0);
      durations_[row] =
          &registry_.GetHistogram("holdfast_operation_duration_seconds", "Time an operation took in the backend.",
                                  {{"store", store_}, {"backend", backend_}, {"operation", std::string(kRows[row])}});
    }
  }

  void Count(std::size_t row, std::size_t result, std::size_t times = 1) {
    CounterOf(row, result).Increment(static_cast<double>(times));
  }
  void Time(std::size_t row, double seconds) { durations_[row]->Observe(seconds); }

 private:
  metrics::Counter& CounterOf(std::size_t row, std::size_t result) {
    std::atomic<metrics::Counter*>& slot = counters_[row][result];
    if (metrics::Counter* counter = slot.load(std::memory_order_acquire)) return *counter;
    const std::string_view name = result == 0 ? "ok" : ErrorCodeName(static_cast<ErrorCode>(result - 1));
    metrics::Counter& counter = registry_.GetCounter("holdfast_operations_total", "Operations by what became of them.",
                                                     {{"store", store_},
                                                      {"backend", backend_},
                                                      {"operation", std::string(kRows[row])},
                                                      {"result", std::string(name)}});
    slot.store(&counter, std::memory_order_release);
    return counter;
  }

  const std::string store_;
  const std::string backend_;
  metrics::Registry& registry_;
  std::array<std::array<std::atomic<metrics::Counter*>, kResults>, kRows.size()> counters_{};
  std::array<metrics::Histogram*, kRows.size()> durations_{};
};

class Stopwatch {
 public:
  double Seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class MeasuredBackend final : public ForwardingBackend {
 public:
  MeasuredBackend(std::shared_ptr<Backend> backend, const std::string& store, const std::string& backend_name,
                  metrics::Registry& registry)
      : ForwardingBackend(std::move(backend)), metrics_(store, backend_name, registry) {}

  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    const Stopwatch stopwatch;
    backend().Execute(operations, results, deadline);
    const double seconds = stopwatch.Seconds();
    // Runs of the same outcome are the rule in a batch, and one addition serves a run.
    std::size_t run = 0;
    for (std::size_t i = 0; i < operations.size(); ++i) {
      const std::size_t row = RowOf(operations[i].kind);
      const std::size_t result = ResultOf(results[i].status);
      metrics_.Time(row, seconds);
      ++run;
      const bool ends = i + 1 == operations.size() || RowOf(operations[i + 1].kind) != row ||
                        ResultOf(results[i + 1].status) != result;
      if (ends) {
        metrics_.Count(row, result, run);
        run = 0;
      }
    }
  }

  Result<TransactionResult> Transact(const Transaction& transaction, Deadline deadline) override {
    return Measure(kTransact, [&] { return backend().Transact(transaction, deadline); });
  }
  Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline) override {
    return Measure(kScan, [&] { return backend().Scan(request, deadline); });
  }
  Result<std::uint64_t> Count(const KeyRange& range, Deadline deadline) override {
    return Measure(kCount, [&] { return backend().Count(range, deadline); });
  }
  Result<std::uint64_t> DeleteRange(const KeyRange& range, Deadline deadline) override {
    return Measure(kDeleteRange, [&] { return backend().DeleteRange(range, deadline); });
  }

 private:
  template <typename Call>
  std::invoke_result_t<Call> Measure(std::size_t row, const Call& call) {
    const Stopwatch stopwatch;
    auto result = call();
    metrics_.Time(row, stopwatch.Seconds());
    metrics_.Count(row, ResultOf(result));
    return result;
  }

  OperationMetrics metrics_;
};

}  // namespace

std::shared_ptr<Backend> MakeMeasuredBackend(std::shared_ptr<Backend> backend, const std::string& store,
                                             const std::string& backend_name, metrics::Registry& registry) {
  return std::make_shared<MeasuredBackend>(std::move(backend), store, backend_name, registry);
}

}  // namespace holdfast::storage
