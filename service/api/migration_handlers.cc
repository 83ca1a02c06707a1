// A store's move to another backend: where it stands, and what an operator has it do.
#include "service/api/handlers.h"
#include "service/api/submit.h"
#include "service/json/json_writer.h"
#include "service/storage/store.h"

namespace holdfast::api {
namespace {

storage::StoreMigration* MigrationOf(Exchange& exchange) {
  storage::StoreMigration* const migration = exchange.store().migration.get();
  if (migration == nullptr) {
    exchange.Fail("not_supported", "this store moves nowhere: name a backend in its setting migrate_to");
  }
  return migration;
}

void Send(Exchange& exchange, storage::StoreMigration& migration) {
  const auto report = migration.Report(exchange.deadline());
  if (!report.ok()) return exchange.Fail(report.error());
  json::JsonWriter json;
  json.BeginObject().Key("phase").String(report->phase).Key("pending").Bool(report->pending);
  json.Key("id").String(report->id).Key("total").Unsigned(report->total).Key("copied").Unsigned(report->copied);
  json.Key("compared").Unsigned(report->compared).Key("differences").Unsigned(report->differences);
  json.Key("missed_writes").Unsigned(report->missed_writes).Key("instances").Unsigned(report->instances);
  json.EndObject();
  exchange.SendJson(200, json.Take());
}

}  // namespace

void GetMigration(ExchangePtr exchange) {
  storage::StoreMigration* const migration = MigrationOf(*exchange);
  if (migration == nullptr) return;
  RunOnPool(std::move(exchange), [migration](Exchange& running) { Send(running, *migration); });
}

void PostMigration(ExchangePtr exchange) {
  storage::StoreMigration* const migration = MigrationOf(*exchange);
  if (migration == nullptr) return;
  const std::string* const action = exchange->query().Find("action");
  RunOnPool(std::move(exchange), [migration, action = action != nullptr ? *action : ""](Exchange& running) {
    const Status done = migration->Do(action, running.deadline());
    if (!done.ok()) return running.Fail(done.error());
    Send(running, *migration);
  });
}

}  // namespace holdfast::api
