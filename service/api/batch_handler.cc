// POST /batch: up to 10 000 operations, each on its own.
#include <fmt/format.h>

#include <array>

#include "service/api/authorise.h"
#include "service/api/fence.h"
#include "service/api/handlers.h"
#include "service/api/operation_json.h"
#include "service/api/submit.h"
#include "service/execution/executor.h"

namespace holdfast::api {
namespace {

using storage::Operation;
using storage::OperationKind;
using storage::OperationResult;

// Bodies and results above this are read and written on the store's pool: the thread that reads the network serves
// other connections, and the committer's thread other writers.
constexpr std::size_t kInlineBytes = 256u << 10;
// How many values are asked for before their size is looked at. Bounds what a batch holds in memory at once.
constexpr std::size_t kReadsPerStep = 64;

bool ReadsValue(OperationKind kind) {
  return kind == OperationKind::kGet || kind == OperationKind::kTake;
}

// The batch on its way. Steps run one behind the other, so that operations on one key take effect in their order.
class BatchRun : public std::enable_shared_from_this<BatchRun> {
 public:
  BatchRun(std::shared_ptr<Exchange> exchange, std::vector<ParsedOperation> operations,
           std::optional<storage::Condition> fence)
      : exchange_(std::move(exchange)),
        operations_(std::move(operations)),
        fence_(std::move(fence)),
        out_(exchange_->NewWriter()) {
    out_->BeginObject().Key("results").BeginArray();
    if (exchange_->audit() != nullptr) exchange_->audit()->KeysOnly();
  }

  void Step() {
    if (next_ == operations_.size()) {
      out_->EndArray().EndObject();
      return exchange_->SendDocument(200, *out_);
    }
    refused_.clear();
    noted_.clear();
    first_ = next_;
    std::vector<Operation> submitted;
    std::size_t reads = 0;
    for (; next_ < operations_.size() && reads < kReadsPerStep; ++next_) {
      ParsedOperation& parsed = operations_[next_];
      auto refusal = Refusal(parsed.operation);
      if (!refusal) {
        if (ReadsValue(parsed.operation.kind)) ++reads;
        // The result is written by kind.
        const OperationKind kind = parsed.operation.kind;
        if (exchange_->audit() != nullptr) noted_.push_back(NoteChange(parsed.operation));
        submitted.push_back(std::move(parsed.operation));
        if (!fence_) {
          exchange_->tenant().key_space.Wrap(submitted.back());
          RecordAccess(*exchange_, submitted.back());
        }
        parsed.operation.kind = kind;
      }
      refused_.push_back(std::move(refusal));
    }
    if (submitted.empty()) return Write({});
    if (fence_) return Receive(RunFenced(submitted));
    exchange_->store().executor->Submit(
        std::move(submitted), exchange_->deadline(),
        [self = shared_from_this()](std::vector<OperationResult> results) { self->Receive(std::move(results)); });
  }

 private:
  // On the store's pool.
  std::vector<OperationResult> RunFenced(const std::vector<Operation>& operations) const {
    std::vector<OperationResult> results;
    results.reserve(operations.size());
    for (const Operation& operation : operations) {
      results.push_back(storage::IsWrite(operation.kind)
                            ? ExecuteFenced(*exchange_, *fence_, operation)
                            : storage::ExecuteOne(exchange_->keys(), operation, exchange_->deadline()));
    }
    return results;
  }

  std::optional<Problem> Refusal(const Operation& operation) const {
    const Status valid = storage::Validate(operation, exchange_->limits());
    if (!valid.ok()) return LimitProblem(valid.error(), exchange_->limits());
    const std::size_t limit = exchange_->context().options.max_batch_response_bytes;
    if (!ReadsValue(operation.kind) || read_bytes_ < limit) return std::nullopt;
    Problem problem = Problem::Of(
        "too_large", fmt::format("the values read by this batch exceed {} bytes (setting limits.batch_response); this "
                                 "operation was not attempted, send it in another batch",
                                 limit));
    problem.limit = limit;
    return problem;
  }

  void Receive(std::vector<OperationResult> results) {
    std::size_t bytes = 0;
    for (const OperationResult& result : results) bytes += result.entry != nullptr ? result.entry->value.size() : 0;
    read_bytes_ += bytes;
    if (bytes > kInlineBytes) {
      auto kept = std::make_shared<std::vector<OperationResult>>(std::move(results));
      if (exchange_->store().executor->Run([self = shared_from_this(), kept] { self->Write(*kept); })) return;
      return Write(*kept);  // a full pool makes it slow, not wrong
    }
    Write(results);
  }

  void Write(const std::vector<OperationResult>& results) {
    auto result = results.begin();
    auto noted = noted_.begin();
    for (std::size_t i = 0; i < refused_.size(); ++i) {
      const ParsedOperation& parsed = operations_[first_ + i];
      if (refused_[i]) {
        WriteFailure(*refused_[i], out_.get());
        continue;
      }
      exchange_->tally().Count(CallOf(parsed.operation.kind));
      if (exchange_->audit() != nullptr) {
        if (*noted) exchange_->audit()->Add(std::move(**noted), *result);
        ++noted;
      }
      WriteResult(parsed.operation.kind, parsed.base64, *result++, out_.get());
    }
    Step();
  }

  const std::shared_ptr<Exchange> exchange_;
  std::vector<ParsedOperation> operations_;
  const std::optional<storage::Condition> fence_;  // each write is checked against it, on its own
  std::size_t next_ = 0;                           // the first operation of the next step
  std::size_t first_ = 0;                          // the first operation of the step that runs
  std::vector<std::optional<Problem>> refused_;    // of the step that runs; nullopt = submitted
  std::vector<std::optional<NotedChange>> noted_;  // of the step that runs, without those refused; while audited
  std::size_t read_bytes_ = 0;
  const std::unique_ptr<json::DocumentWriter> out_;
};

Result<std::vector<ParsedOperation>> ParseBatch(const Exchange& exchange) {
  HOLDFAST_ASSIGN_OR_RETURN(json::JsonValue json, exchange.ParseBody(ByteStrings::kAllowed));
  constexpr std::array<std::string_view, 1> kMembers = {"operations"};
  if (json.kind != json::JsonValue::Kind::kObject) {
    return Error(ErrorCode::kInvalidArgument, "the body is not an object; send {\"operations\":[...]}");
  }
  HOLDFAST_RETURN_IF_ERROR(CheckMembers(json, kMembers, "the body"));
  json::JsonValue* operations = json.Find("operations");
  if (operations == nullptr) return Error(ErrorCode::kInvalidArgument, "operations: is missing; send an array");
  return ParseOperations(*operations, "operations", exchange.store(), exchange.limits().max_operations);
}

void Start(const std::shared_ptr<Exchange>& exchange) {
  auto operations = ParseBatch(*exchange);
  if (!operations.ok()) return exchange->Fail(operations.error());
  // All of them before any of them: a batch that may not be is not half done.
  for (const ParsedOperation& parsed : *operations) {
    if (auto refused = CheckAllowed(*exchange, parsed.operation)) return exchange->Fail(*refused);
  }
  auto fence = ReadFence(*exchange);
  if (!fence.ok()) return exchange->Fail(fence.error());
  exchange->request().body = std::string();
  std::make_shared<BatchRun>(exchange, std::move(operations).value(), std::move(fence).value())->Step();
}

}  // namespace

void PostBatch(ExchangePtr exchange) {
  if (auto refused = CheckJsonContentType(exchange->headers())) return exchange->Fail(*refused);
  const std::shared_ptr<Exchange> shared = std::move(exchange);
  // A fenced one waits for the backend, write by write.
  const bool waits = shared->headers().fence.has_value();
  if (!waits && shared->request().body.size() <= kInlineBytes) return Start(shared);
  if (!shared->store().executor->Run([shared] { Start(shared); })) shared->FailBusy();
}

}  // namespace holdfast::api
