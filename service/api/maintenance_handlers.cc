// What an operator may ask of a store that keeps files, or has a cache.
#include "service/api/handlers.h"
#include "service/api/list_limit.h"
#include "service/api/list_query.h"
#include "service/api/submit.h"
#include "service/json/json_writer.h"
#include "service/storage/store.h"

namespace holdfast::api {
namespace {

void Maintain(Exchange& exchange, storage::Maintenance& maintenance, bool compact) {
  const Result<storage::MaintenanceReport> report =
      compact ? maintenance.Compact(exchange.deadline()) : maintenance.Flush(exchange.deadline());
  if (!report.ok()) return exchange.Fail(report.error());
  json::JsonWriter json;
  json.BeginObject().Key("action").String(compact ? "compact" : "flush");
  json.Key("bytes_before").Unsigned(report->bytes_before).Key("bytes_after").Unsigned(report->bytes_after);
  json.EndObject();
  exchange.SendJson(200, json.Take());
}

void Warm(ExchangePtr exchange) {
  if (exchange->store().warmer == nullptr) {
    return exchange->Fail("not_supported", "this store has no cache; stores.NAME.cache gives it one");
  }
  storage::WarmLimits limits = exchange->store().warm_limits;
  if (exchange->query().Find("limit") != nullptr) {
    const auto limit = ReadLimit(exchange->query(), static_cast<std::size_t>(limits.entries),
                                 static_cast<std::size_t>(limits.entries));
    if (!limit.ok()) return exchange->Fail(limit.error());
    limits.entries = *limit;
  }
  RunOnPool(std::move(exchange), [limits](Exchange& running) {
    const storage::KeyRange range = running.tenant().key_space.Wrap(PrefixRange(running.query()));
    const Result<storage::WarmReport> report = running.store().warmer->Warm(range, limits, running.deadline());
    if (!report.ok()) return running.Fail(report.error());
    json::JsonWriter json;
    json.BeginObject().Key("action").String("warm").Key("entries").Unsigned(report->entries);
    json.Key("bytes").Unsigned(report->bytes).Key("complete").Bool(report->complete).EndObject();
    running.SendJson(200, json.Take());
  });
}

// Why no backend needs to be told; nullptr for other words.
const char* NeedlessBecause(std::string_view action) {
  if (action == "vacuum") return "stores reclaim space by themselves; compact rewrites the files of one that has files";
  if (action == "cleanup") return "expired entries are never read, and are removed by themselves within seconds";
  return nullptr;
}

}  // namespace

void PostStore(ExchangePtr exchange) {
  const std::string* action = exchange->query().Find("action");
  if (const char* because = action == nullptr ? nullptr : NeedlessBecause(*action); because != nullptr) {
    return exchange->Fail("not_supported", because);
  }
  if (action != nullptr && *action == "warm") return Warm(std::move(exchange));
  if (exchange->query().Find("prefix") != nullptr || exchange->query().Find("limit") != nullptr) {
    return exchange->Fail("invalid_argument", "\"prefix\" and \"limit\" belong to action=warm; leave them out");
  }
  if (action == nullptr || (*action != "compact" && *action != "flush")) {
    return exchange->Fail("invalid_argument",
                          "the query parameter \"action\" is none of compact, flush, vacuum, cleanup and warm");
  }
  storage::Maintenance* maintenance = exchange->store().backend->maintenance();
  if (maintenance == nullptr) {
    return exchange->Fail("not_supported", "this store keeps no files, so there is nothing to compact or to flush");
  }
  const bool compact = *action == "compact";
  RunOnPool(std::move(exchange),
            [maintenance, compact](Exchange& running) { Maintain(running, *maintenance, compact); });
}

}  // namespace holdfast::api
