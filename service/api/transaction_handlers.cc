// POST /transaction: conditions and operations in one request, all or nothing.
#include <array>

#include "service/api/authorise.h"
#include "service/api/fence.h"
#include "service/api/handlers.h"
#include "service/api/once_effect.h"
#include "service/api/operation_json.h"
#include "service/api/submit.h"

namespace holdfast::api {
namespace {

// What was parsed, and what writing the results needs beside it.
struct ParsedTransaction {
  storage::Transaction transaction;
  std::vector<bool> then_base64;
  std::vector<bool> otherwise_base64;
};

Result<ParsedTransaction> ParseTransaction(const Exchange& exchange) {
  HOLDFAST_ASSIGN_OR_RETURN(json::JsonValue json, exchange.ParseBody(ByteStrings::kAllowed));
  if (json.kind != json::JsonValue::Kind::kObject) {
    return Error(ErrorCode::kInvalidArgument, "the body is not an object; send {\"if\":[...],\"then\":[...]}");
  }
  constexpr std::array<std::string_view, 3> kMembers = {"if", "then", "else"};
  HOLDFAST_RETURN_IF_ERROR(CheckMembers(json, kMembers, "the body"));
  const std::size_t maximum = exchange.limits().max_operations;
  ParsedTransaction parsed;
  if (json::JsonValue* conditions = json.Find("if"); conditions != nullptr) {
    HOLDFAST_ASSIGN_OR_RETURN(parsed.transaction.conditions, ParseConditions(*conditions, "if", maximum));
  }
  const auto read = [&](std::string_view name, std::vector<storage::Operation>* operations,
                        std::vector<bool>* base64) -> Status {
    json::JsonValue* list = json.Find(name);
    if (list == nullptr) return {};
    HOLDFAST_ASSIGN_OR_RETURN(auto parsed_list, ParseOperations(*list, name, exchange.store(), maximum));
    for (ParsedOperation& item : parsed_list) {
      operations->push_back(std::move(item.operation));
      base64->push_back(item.base64);
    }
    return {};
  };
  HOLDFAST_RETURN_IF_ERROR(read("then", &parsed.transaction.then, &parsed.then_base64));
  HOLDFAST_RETURN_IF_ERROR(read("else", &parsed.transaction.otherwise, &parsed.otherwise_base64));
  return parsed;
}

std::optional<Problem> BeyondLimits(const storage::Transaction& transaction, const storage::Limits& limits) {
  for (const auto* branch : {&transaction.then, &transaction.otherwise}) {
    for (const storage::Operation& operation : *branch) {
      const Status valid = storage::Validate(operation, limits);
      if (!valid.ok()) return LimitProblem(valid.error(), limits);
    }
  }
  return std::nullopt;
}

// A condition tells what stands under its key.
std::optional<Problem> NotAllowed(const Exchange& exchange, const storage::Transaction& transaction) {
  if (exchange.policy() == nullptr) return std::nullopt;
  for (const storage::Condition& condition : transaction.conditions) {
    if (auto refused = CheckAllowed(exchange, tenancy::Verb::kRead, condition.key)) return refused;
  }
  for (const auto* branch : {&transaction.then, &transaction.otherwise}) {
    for (const storage::Operation& operation : *branch) {
      if (auto refused = CheckAllowed(exchange, operation)) return refused;
    }
  }
  return std::nullopt;
}

void Audit(const std::vector<storage::Operation>& operations, const storage::TransactionResult& result,
           AuditTrail* audit) {
  if (audit == nullptr) return;
  audit->KeysOnly();
  for (std::size_t i = 0; result.applied && i < operations.size(); ++i) {
    if (auto change = NoteChange(operations[i])) audit->Add(std::move(*change), result.results[i]);
  }
}

void BeginAnswer(bool then, bool applied, json::DocumentWriter* out) {
  out->BeginObject().Key("committed").Bool(then && applied);
  out->Key("branch").String(then ? "then" : "else").Key("applied").Bool(applied);
}

// What a repeat can be told when the results are not known any more.
Response OutlineResponse(Exchange& exchange, bool then) {
  const auto out = exchange.NewWriter();
  BeginAnswer(then, true, out.get());
  out->EndObject();
  Response response;
  response.content_type = MediaTypeOf(exchange.accept().document);
  response.body = out->Take();
  return response;
}

// nullopt: it was a repeat, and has been answered.
Result<std::optional<storage::TransactionResult>> Transact(Exchange& exchange,
                                                           const storage::Transaction& transaction) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<storage::Condition> fence, ReadFence(exchange));
  if (exchange.once() != nullptr && exchange.once()->with_effect()) {
    return TransactOnce(exchange, fence, transaction, OutlineResponse);
  }
  HOLDFAST_ASSIGN_OR_RETURN(storage::TransactionResult result,
                            fence ? TransactFenced(exchange, *fence, transaction)
                                  : exchange.keys().Transact(transaction, exchange.deadline()));
  return std::optional(std::move(result));
}

void Run(Exchange& exchange) {
  auto parsed = ParseTransaction(exchange);
  if (!parsed.ok()) return exchange.Fail(parsed.error());
  if (auto refused = NotAllowed(exchange, parsed->transaction)) return exchange.Fail(*refused);
  if (auto refused = BeyondLimits(parsed->transaction, exchange.limits())) return exchange.Fail(*refused);
  const auto transacted = Transact(exchange, parsed->transaction);
  if (transacted.ok() && !transacted->has_value()) return;
  exchange.tally().Count(Call::kTransact);
  if (!transacted.ok()) return exchange.Fail(TransactionProblem(transacted.error()));
  const storage::TransactionResult& result = **transacted;
  const bool then = result.conditions_held;
  const auto& operations = then ? parsed->transaction.then : parsed->transaction.otherwise;
  Audit(operations, result, exchange.audit());
  const auto& base64 = then ? parsed->then_base64 : parsed->otherwise_base64;
  const auto out = exchange.NewWriter();
  BeginAnswer(then, result.applied, out.get());
  out->Key("results").BeginArray();
  for (std::size_t i = 0; i < result.results.size(); ++i) {
    WriteResult(operations[i].kind, base64[i], result.results[i], out.get());
  }
  out->EndArray().EndObject();
  exchange.SendDocument(200, *out);
}

}  // namespace

void PostTransaction(ExchangePtr exchange) {
  if (auto refused = CheckJsonContentType(exchange->headers())) return exchange->Fail(*refused);
  if (!exchange->store().backend->capabilities().transactions) {
    return exchange->Fail("not_supported", "this store has no transactions; use preconditions on single keys");
  }
  RunOnPool(std::move(exchange), Run);
}

}  // namespace holdfast::api
