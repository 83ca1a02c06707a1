// Quota and usage of a namespace.
#include <fmt/format.h>

#include <array>

#include "service/api/handlers.h"
#include "service/api/operation_json.h"
#include "service/execution/executor.h"
#include "service/json/json_value.h"
#include "service/json/json_writer.h"

namespace holdfast::api {
namespace {

constexpr std::array<std::string_view, 3> kLimits = {"bytes", "keys", "requests_per_second"};

Error Invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

// A whole number from 0 to `maximum`; null and nothing at all are no limit.
Result<std::optional<std::uint64_t>> ReadLimit(const json::JsonValue& quota, std::string_view name,
                                               std::uint64_t maximum) {
  const json::JsonValue* value = quota.Find(name);
  if (value == nullptr || value->kind == json::JsonValue::Kind::kNull) return std::optional<std::uint64_t>();
  if (value->kind != json::JsonValue::Kind::kInteger || value->integer < 0 ||
      static_cast<std::uint64_t>(value->integer) > maximum) {
    return Invalid(fmt::format("{}: is not a whole number from 0 to {}; leave it out for no limit", name, maximum));
  }
  return std::optional(static_cast<std::uint64_t>(value->integer));
}

Result<tenancy::Quota> ReadQuota(const Exchange& exchange) {
  HOLDFAST_ASSIGN_OR_RETURN(const json::JsonValue json, exchange.ParseBody());
  if (json.kind != json::JsonValue::Kind::kObject)
    return Invalid("the body is not an object; send {\"quota\":{\"keys\":1000}}");
  // What GET answers may be sent back; what it says beside the quota is not for the client to set.
  const json::JsonValue* quota = json.Find("quota");
  if (quota != nullptr) {
    constexpr std::array<std::string_view, 3> kMembers = {"quota", "namespace", "usage"};
    HOLDFAST_RETURN_IF_ERROR(CheckMembers(json, kMembers, "the body"));
    if (quota->kind != json::JsonValue::Kind::kObject) return Invalid("quota: is not an object");
  } else {
    quota = &json;
  }
  HOLDFAST_RETURN_IF_ERROR(CheckMembers(*quota, kLimits, "the quota"));
  tenancy::Quota read;
  HOLDFAST_ASSIGN_OR_RETURN(read.bytes, ReadLimit(*quota, kLimits[0], tenancy::kMaxQuota));
  HOLDFAST_ASSIGN_OR_RETURN(read.keys, ReadLimit(*quota, kLimits[1], tenancy::kMaxQuota));
  HOLDFAST_ASSIGN_OR_RETURN(read.requests_per_second, ReadLimit(*quota, kLimits[2], tenancy::kMaxRequestsPerSecond));
  return read;
}

void AnswerNamespace(Exchange& exchange, int status) {
  const auto [quota, usage, counted] = exchange.context().tenancy.quotas->Find(exchange.name_space());
  json::JsonWriter json;
  json.BeginObject().Key("namespace").String(exchange.name_space()).Key("quota").BeginObject();
  const std::optional<std::uint64_t> limits[] = {quota.bytes, quota.keys, quota.requests_per_second};
  for (std::size_t i = 0; i < kLimits.size(); ++i) {
    if (limits[i]) json.Key(kLimits[i]).Unsigned(*limits[i]);
  }
  json.EndObject().Key("usage").BeginObject();
  json.Key("bytes").Integer(usage.bytes).Key("keys").Integer(usage.keys);
  if (!counted) json.Key("counting").Bool(true);
  json.EndObject().EndObject();
  exchange.SendJson(status, json.Take());
}

// Quotas are rows of the default store.
void RunOnDefaultPool(ExchangePtr exchange, void (*work)(Exchange& exchange)) {
  execution::Executor& executor = *exchange->context().stores->default_store().executor;
  const std::shared_ptr<Exchange> shared = std::move(exchange);
  if (!executor.Run([shared, work] { work(*shared); })) shared->FailBusy();
}

}  // namespace

void GetNamespace(ExchangePtr exchange) {
  AnswerNamespace(*exchange, 200);
}

void PutNamespace(ExchangePtr exchange) {
  if (auto refused = CheckJsonContentType(exchange->headers())) return exchange->Fail(*refused);
  RunOnDefaultPool(std::move(exchange), [](Exchange& running) {
    const auto quota = ReadQuota(running);
    if (!quota.ok()) return running.Fail(quota.error());
    const auto is_first = running.context().tenancy.quotas->Put(running.name_space(), *quota, running.deadline());
    if (!is_first.ok()) return running.Fail(is_first.error());
    AnswerNamespace(running, *is_first ? 201 : 200);
  });
}

void DeleteNamespace(ExchangePtr exchange) {
  RunOnDefaultPool(std::move(exchange), [](Exchange& running) {
    const Status deleted = running.context().tenancy.quotas->Delete(running.name_space(), running.deadline());
    if (!deleted.ok()) return running.Fail(deleted.error());
    Response response;
    response.status = 204;
    running.Send(std::move(response));
  });
}

}  // namespace holdfast::api
