// Interactive transactions: begin, commit, roll back, savepoints. What happens inside one is in submit.cc.
#include <array>

#include "base/time/duration.h"
#include "service/api/encoding.h"
#include "service/api/handlers.h"
#include "service/api/operation_json.h"
#include "service/api/submit.h"
#include "service/json/json_value.h"
#include "service/json/json_writer.h"
#include "service/transactions/transaction_manager.h"

namespace holdfast::api {
namespace {

using transactions::Committed;
using transactions::Isolation;
using transactions::WrittenKey;

struct BeginRequest {
  Isolation isolation = Isolation::kSerializable;
  std::optional<std::chrono::microseconds> timeout;
};

Error Invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

Result<BeginRequest> ReadBegin(const Exchange& exchange, std::string_view body) {
  BeginRequest begin;
  if (body.empty()) return begin;
  HOLDFAST_ASSIGN_OR_RETURN(const json::JsonValue json, exchange.ParseBody());
  constexpr std::array<std::string_view, 2> kMembers = {"isolation", "timeout"};
  if (json.kind != json::JsonValue::Kind::kObject) {
    return Invalid("the body is not an object; send {\"isolation\":\"serializable\",\"timeout\":\"30s\"}");
  }
  HOLDFAST_RETURN_IF_ERROR(CheckMembers(json, kMembers, "the body"));
  if (const json::JsonValue* isolation = json.Find("isolation"); isolation != nullptr) {
    const auto parsed = isolation->kind == json::JsonValue::Kind::kString
                            ? transactions::ParseIsolation(isolation->text)
                            : std::optional<Isolation>();
    if (!parsed) return Invalid("isolation: is none of read_committed, repeatable_read and serializable");
    begin.isolation = *parsed;
  }
  if (const json::JsonValue* timeout = json.Find("timeout"); timeout != nullptr) {
    if (timeout->kind != json::JsonValue::Kind::kString) {
      return Invalid("timeout: is not a string; write a duration like \"30s\"");
    }
    auto parsed = ParseDuration(timeout->text);
    if (!parsed.ok()) return std::move(parsed).error().WithContext("timeout");
    begin.timeout = *parsed;
  }
  return begin;
}

void NoKeysYet(Exchange& exchange) {
  if (exchange.audit() != nullptr) exchange.audit()->KeysOnly();
}

void Audit(Exchange& exchange, const Committed& committed) {
  NoKeysYet(exchange);
  if (exchange.audit() == nullptr || committed.repeated) return;
  for (const WrittenKey& key : committed.keys) {
    storage::OperationResult result;
    result.version = key.version;
    result.existed = key.existed;
    NotedChange change{key.kind, key.key, std::nullopt};
    if (key.entry) change.value = tenancy::Sha256(key.entry->value);
    if (key.kind == storage::OperationKind::kIncrement) change.kind = storage::OperationKind::kPut;
    exchange.audit()->Add(std::move(change), result);
  }
}

void SendCommitted(Exchange& exchange, const Committed& committed) {
  json::JsonWriter json;
  json.BeginObject().Key("committed").Bool(true);
  // After a restart it is known that it took effect, and no longer what came of it.
  if (committed.keys_known) {
    json.Key("results").BeginArray();
    for (const WrittenKey& key : committed.keys) {
      const bool is_text = IsValidUtf8(key.key);
      json.BeginObject().Key("key").String(is_text ? key.key : Base64Encode(key.key));
      if (!is_text) json.Key("encoding").String("base64");
      if (key.version != 0) json.Key("etag").String(ETagOf(key.version));
      if (key.expires_at) json.Key("expires_at").String(FormatTimestamp(*key.expires_at));
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  Response response;
  response.content_type = MediaTypeOf(exchange.accept().document);
  response.body = json::Transcode(json.Take(), exchange.accept().document);
  if (committed.repeated) response.headers.emplace_back("Holdfast-Replayed", "true");
  exchange.Send(std::move(response));
}

// For a single key the same code means a failed precondition.
void FailTransaction(Exchange& exchange, const Error& error) {
  if (error.code() == ErrorCode::kVersionConflict) return exchange.Fail("conflict", error.message());
  exchange.Fail(error);
}

void Commit(Exchange& exchange) {
  exchange.tally().Count(Call::kTransact);
  const auto committed =
      exchange.context().transactions->Commit(exchange.tenant(), exchange.key(), exchange.deadline());
  if (!committed.ok()) {
    NoKeysYet(exchange);
    return FailTransaction(exchange, committed.error());
  }
  Audit(exchange, *committed);
  SendCommitted(exchange, *committed);
}

Status Control(Exchange& exchange, std::string_view action, const std::string& name) {
  transactions::TransactionManager& open = *exchange.context().transactions;
  if (action == "savepoint") {
    return open.Savepoint(exchange.tenant(), exchange.key(), name, exchange.deadline());
  }
  if (action == "rollback_to") {
    return open.RollbackTo(exchange.tenant(), exchange.key(), name, exchange.deadline());
  }
  return open.Rollback(exchange.tenant(), exchange.key(), exchange.deadline());
}

}  // namespace

void BeginTransaction(ExchangePtr exchange) {
  if (auto refused = CheckJsonContentType(exchange->headers())) return exchange->Fail(*refused);
  const storage::Capabilities capabilities = exchange->store().backend->capabilities();
  if (!capabilities.transactions) {
    return exchange->Fail("not_supported", "this store has no transactions; use preconditions on single keys");
  }
  if (!capabilities.transactions_span_keys) {
    return exchange->Fail(
        "not_supported",
        "this store spreads single keys over a Redis Cluster, and a commit changes keys together that "
        "nobody knows yet; send a one-shot transaction over keys with a common {tag}, or set "
        "cluster_spread: namespace for the backend");
  }
  NoKeysYet(*exchange);
  const auto request = ReadBegin(*exchange, exchange->request().body);
  if (!request.ok()) return exchange->Fail(request.error());
  const auto begun = exchange->context().transactions->Begin(exchange->tenant(), request->isolation, request->timeout);
  if (!begun.ok()) return exchange->Fail(begun.error());
  json::JsonWriter json;
  json.BeginObject().Key("id").String(begun->id);
  json.Key("expires_at").String(FormatTimestamp(begun->expires_at)).EndObject();
  exchange->SendJson(201, json.Take());
}

void PostInteractive(ExchangePtr exchange) {
  const std::string* const action = exchange->query().Find("action");
  const std::string* const given = exchange->query().Find("name");
  const bool named = action != nullptr && (*action == "savepoint" || *action == "rollback_to");
  if (!named && (action == nullptr || (*action != "commit" && *action != "rollback"))) {
    return exchange->Fail("invalid_argument",
                          "the query parameter \"action\" is none of commit, rollback, savepoint and rollback_to");
  }
  if (!named && given != nullptr) {
    return exchange->Fail("invalid_argument", "the query parameter \"name\" is for savepoint and rollback_to");
  }
  if (*action == "commit") return RunOnPool(std::move(exchange), Commit);
  RunOnPool(std::move(exchange),
            [action = *action, name = given != nullptr ? *given : std::string()](Exchange& running) {
              NoKeysYet(running);
              const Status done = Control(running, action, name);
              if (!done.ok()) return FailTransaction(running, done.error());
              Response response;
              response.status = 204;
              running.Send(std::move(response));
            });
}

}  // namespace holdfast::api
