#include "service/tracing/traced_backend.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "service/storage/forwarding_backend.h"
#include "service/tracing/context.h"
#include "service/tracing/span_ids.h"

namespace holdfast::tracing {
namespace {

using storage::Operation;
using storage::OperationResult;

std::string SystemName(std::string_view kind) {
  return kind == "postgres" ? "postgresql" : std::string(kind);
}

// The backend failed, and did not merely refuse what was asked of it.
bool IsFailure(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kOutcomeUnknown:
    case ErrorCode::kCorruption:
    case ErrorCode::kInternal:
      return true;
    default:
      return false;
  }
}

// What became of a call.
struct Outcome {
  std::string operation;
  std::size_t operations = 1;
  std::size_t refused = 0;        // of these, not ok
  std::optional<ErrorCode> code;  // nothing: ok
  std::optional<std::size_t> rows;
};

std::string OperationName(std::span<const Operation> operations) {
  if (operations.empty()) return "BATCH";
  std::string name(storage::OperationKindName(operations.front().kind));
  if (operations.size() == 1) return name;
  const bool same = std::all_of(operations.begin(), operations.end(),
                                [&](const Operation& operation) { return operation.kind == operations.front().kind; });
  return same ? "BATCH " + name : "BATCH";
}

// Of the parts of a call, as holdfast.result has it.
void Judge(std::span<const OperationResult> results, Outcome* outcome) {
  std::optional<ErrorCode> first;
  for (const OperationResult& result : results) {
    if (result.status.ok()) continue;
    const ErrorCode code = result.status.error().code();
    ++outcome->refused;
    if (!first) first = code;
    if (IsFailure(code) && !outcome->code) outcome->code = code;
  }
  if (!outcome->code && outcome->refused == results.size()) outcome->code = first;
}

class TracedBackend final : public storage::ForwardingBackend {
 public:
  TracedBackend(std::shared_ptr<storage::Backend> backend, std::string name, std::shared_ptr<SpanSink> sink,
                std::uint64_t max_calls)
      : ForwardingBackend(std::move(backend)),
        name_(std::move(name)),
        system_(SystemName(kind())),
        sink_(std::move(sink)),
        max_calls_(max_calls) {}

  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    const Call call;
    backend().Execute(operations, results, deadline);
    if (call.traced()) Tell(call, OutcomeOf(operations, results));
  }

  void Load(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    const Call call;
    backend().Load(operations, results, deadline);
    if (call.traced()) Tell(call, OutcomeOf(operations, results));
  }

  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override {
    const Call call;
    auto result = backend().Transact(transaction, deadline);
    if (!call.traced()) return result;
    Outcome outcome = OutcomeOf("transact", result);
    if (result.ok()) {
      outcome.operations = result->results.size();
      // Conditions that do not hold are an answer.
      if (!result->applied) Judge(result->results, &outcome);
    }
    Tell(call, outcome);
    return result;
  }

  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override {
    const Call call;
    auto page = backend().Scan(request, deadline);
    if (!call.traced()) return page;
    Outcome outcome = OutcomeOf("scan", page);
    if (page.ok()) outcome.rows = page->entries.size();
    Tell(call, outcome);
    return page;
  }

  Result<std::uint64_t> Count(const storage::KeyRange& range, Deadline deadline) override {
    const Call call;
    auto count = backend().Count(range, deadline);
    if (call.traced()) Tell(call, OutcomeOf("count", count));
    return count;
  }

  Result<std::uint64_t> DeleteRange(const storage::KeyRange& range, Deadline deadline) override {
    const Call call;
    auto deleted = backend().DeleteRange(range, deadline);
    if (call.traced()) Tell(call, OutcomeOf("delete_range", deleted));
    return deleted;
  }

 private:
  // One call, from now on.
  class Call {
   public:
    Call() : context_(CurrentContext()) {
      if (context_ == nullptr) return;
      start_ = std::chrono::system_clock::now();
      steady_start_ = std::chrono::steady_clock::now();
    }
    bool traced() const { return context_ != nullptr; }
    const Context& context() const { return *context_; }
    std::chrono::system_clock::time_point start() const { return start_; }
    std::chrono::nanoseconds Took() const { return std::chrono::steady_clock::now() - steady_start_; }

   private:
    const ContextPtr context_;
    std::chrono::system_clock::time_point start_{};
    std::chrono::steady_clock::time_point steady_start_{};
  };

  static Outcome OutcomeOf(std::span<const Operation> operations, std::span<const OperationResult> results) {
    Outcome outcome;
    outcome.operation = OperationName(operations);
    outcome.operations = operations.size();
    Judge(results, &outcome);
    return outcome;
  }

  template <typename T>
  static Outcome OutcomeOf(const char* operation, const Result<T>& result) {
    Outcome outcome;
    outcome.operation = operation;
    if (!result.ok()) outcome.code = result.error().code();
    return outcome;
  }

  void Tell(const Call& call, const Outcome& outcome) const {
    Span span = SpanOf(call, outcome);
    for (const TracedRequestPtr& request : call.context().requests) {
      if (request->calls.fetch_add(1, std::memory_order_relaxed) >= max_calls_) continue;
      Span own = span;
      own.trace_id = request->trace_id;
      own.span_id = RandomSpanId();
      own.parent_span_id = request->span_id;
      own.attributes.emplace_back("holdfast.store", request->store);
      // What comes behind the first points to it.
      if (span.links.empty()) span.links.push_back({own.trace_id, own.span_id});
      sink_->Record(std::move(own));
    }
  }

  // But for whose it is.
  Span SpanOf(const Call& call, const Outcome& outcome) const {
    Span span;
    span.kind = SpanKind::kClient;
    span.name = outcome.operation + ' ' + name_;
    span.start = call.start();
    span.duration = call.Took();
    const std::string result(outcome.code ? ErrorCodeName(*outcome.code) : "ok");
    span.failed = outcome.code && IsFailure(*outcome.code);
    span.attributes = {{"db.system.name", system_},
                       {"db.operation.name", outcome.operation},
                       {"holdfast.backend", name_},
                       {"holdfast.result", result}};
    if (span.failed) span.attributes.emplace_back("error.type", result);
    if (call.context().hedge) span.attributes.emplace_back("holdfast.hedge", "true");
    span.numbers = {{"holdfast.attempt", call.context().attempt}};
    const auto number = [&span](const char* name, std::size_t value) {
      span.numbers.emplace_back(name, static_cast<std::int64_t>(value));
    };
    if (outcome.operations > 1) number("db.operation.batch.size", outcome.operations);
    if (outcome.operations > 1 && outcome.refused > 0) number("holdfast.refused", outcome.refused);
    if (outcome.rows) number("db.response.returned_rows", *outcome.rows);
    return span;
  }

  const std::string name_;
  const std::string system_;
  const std::shared_ptr<SpanSink> sink_;
  const std::uint64_t max_calls_;
};

}  // namespace

std::shared_ptr<storage::Backend> MakeTracedBackend(std::shared_ptr<storage::Backend> backend, std::string name,
                                                    std::shared_ptr<SpanSink> sink, std::uint64_t max_calls) {
  return std::make_shared<TracedBackend>(std::move(backend), std::move(name), std::move(sink), max_calls);
}

}  // namespace holdfast::tracing
