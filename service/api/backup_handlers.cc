// The backups of a store. They hold every namespace, so their callers need `admin` in all of them.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "base/time/duration.h"
#include "service/api/authorise.h"
#include "service/api/handlers.h"
#include "service/api/id_body.h"
#include "service/api/submit.h"
#include "service/json/json_writer.h"
#include "service/storage/store.h"

namespace holdfast::api {
namespace {

using storage::BackupAction;
using storage::BackupInfo;
using storage::BackupRun;
using storage::ReadableBackups;
using storage::StoreBackups;

constexpr int kAccepted = 202;

void WriteInfo(const BackupInfo& info, json::JsonWriter* json) {
  json->BeginObject().Key("id").String(info.id);
  if (!info.damage.empty()) {
    json->Key("damaged").String(info.damage).Key("verified").Bool(false).EndObject();
    return;
  }
  json->Key("created_at").String(FormatTimestamp(info.created_at));
  json->Key("kind").String(info.parent.empty() ? "full" : "incremental");
  if (!info.parent.empty()) json->Key("parent").String(info.parent).Key("increments").Unsigned(info.increments);
  json->Key("entry_count").Unsigned(info.entries).Key("entry_bytes").Unsigned(info.entry_bytes);
  json->Key("size_bytes").Unsigned(info.size_bytes).Key("objects").Unsigned(info.objects);
  json->Key("checksum").String(info.checksum).Key("encrypted").Bool(info.encrypted);
  json->Key("format_version").Unsigned(info.format_version);
  json->Key("consistency").String(storage::ConsistencyName(info.consistency)).Key("backend").String(info.backend);
  json->Key("verified").Bool(info.verified_at.has_value());
  if (info.verified_at) json->Key("verified_at").String(FormatTimestamp(*info.verified_at));
  if (info.drill) {
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(info.drill->took);
    json->Key("drill").BeginObject().Key("at").String(FormatTimestamp(info.drill->at));
    json->Key("succeeded").Bool(info.drill->failure.empty());
    json->Key("restore_ms").Unsigned(static_cast<std::uint64_t>(took.count()));
    if (!info.drill->failure.empty()) json->Key("code").String(info.drill->failure);
    json->EndObject();
  }
  json->EndObject();
}

void WriteSchedule(const storage::BackupSchedule& schedule, json::JsonWriter* json) {
  json->Key("schedule").BeginObject().Key("expression").String(schedule.expression);
  json->Key("time_zone").String(schedule.time_zone).Key("next").BeginArray();
  for (const Timestamp due : schedule.next) json->String(FormatTimestamp(due));
  json->EndArray().EndObject();
}

std::string_view StateOf(const BackupRun& run) {
  if (run.finished_at) return run.error ? "failed" : "succeeded";
  return run.begun_at ? "running" : "waiting";
}

void WriteResults(const BackupRun& run, json::JsonWriter* json) {
  if (run.error) {
    const Problem problem = Problem::Of(*run.error);
    json->Key("problem").BeginObject().Key("code").String(problem.kind->code);
    json->Key("detail").String(problem.detail).EndObject();
  }
  if (run.info) {
    json->Key("item");
    WriteInfo(*run.info, json);
  }
  if (run.restored) {
    json->Key("restored").Unsigned(run.restored->restored).Key("undo").String(run.restored->undo);
    json->Key("written").Unsigned(run.restored->written).Key("deleted").Unsigned(run.restored->deleted);
    json->Key("expired").Unsigned(run.restored->expired);
  }
  if (!run.note.empty()) json->Key("note").String(run.note);
  const bool removes =
      run.action != BackupAction::kVerify && run.action != BackupAction::kDrill && run.action != BackupAction::kRestore;
  if (!removes || run.error || !run.finished_at) return;
  json->Key("removed").BeginArray();
  for (const std::string& id : run.removed) json->String(id);
  json->EndArray();
}

void SendRun(Exchange& exchange, int status, const BackupRun& run) {
  json::JsonWriter json;
  json.BeginObject().Key("run").String(run.id).Key("action").String(storage::BackupActionName(run.action));
  if (!run.backup.empty()) json.Key("backup").String(run.backup);
  if (!run.source.empty()) json.Key("source").String(run.source);
  if (run.to) json.Key("to_time").String(FormatTimestamp(*run.to));
  json.Key("state").String(StateOf(run)).Key("asked_at").String(FormatTimestamp(run.asked_at));
  if (run.begun_at) json.Key("begun_at").String(FormatTimestamp(*run.begun_at));
  if (run.finished_at) json.Key("finished_at").String(FormatTimestamp(*run.finished_at));
  if (!run.step.empty()) json.Key("step").String(run.step).Key("bytes").Unsigned(run.bytes);
  if (run.total_bytes > 0) json.Key("total_bytes").Unsigned(run.total_bytes);
  WriteResults(run, &json);
  json.EndObject();
  exchange.SendJson(status, json.Take());
}

// nullptr when it was answered: there are none, or they are not for the caller.
StoreBackups* AnyBackupsOf(Exchange& exchange) {
  if (auto refused = CheckWholeStore(exchange, tenancy::Verb::kAdmin)) {
    exchange.Fail(*refused);
    return nullptr;
  }
  StoreBackups* const backups = exchange.store().backups.get();
  if (backups == nullptr) {
    exchange.Fail("not_supported",
                  exchange.query().Find("source") == nullptr
                      ? "the service has no place for backups; say where in backups.directory or backups.s3.endpoint"
                      : "the service knows of no other deployment's backups: set backups.source.directory or "
                        "backups.source.s3.endpoint to where they lie");
  }
  return backups;
}

// Likewise; the store's own.
StoreBackups* BackupsOf(Exchange& exchange) {
  StoreBackups* const backups = AnyBackupsOf(exchange);
  if (backups == nullptr) return nullptr;
  if (exchange.query().Find("source") != nullptr) {
    exchange.Fail("invalid_argument",
                  "the query parameter \"source\" is for listing, action=verify and action=restore: the backups of "
                  "another deployment are only read here");
    return nullptr;
  }
  if (backups->HasPlace()) return backups;
  exchange.Fail("not_supported",
                "the service has no place for backups; say where in backups.directory or backups.s3.endpoint");
  return nullptr;
}

// Those that are read, the store's own or, with `source` in the query, those of another deployment's store. It may be
// used as long as the store's.
using Read = std::shared_ptr<ReadableBackups>;

// null when it was answered.
Read ReadBackupsOf(Exchange& exchange) {
  const std::string* const source = exchange.query().Find("source");
  StoreBackups* const own = source == nullptr ? BackupsOf(exchange) : AnyBackupsOf(exchange);
  if (own == nullptr) return nullptr;
  if (source == nullptr) return {Read(), own};
  auto of_source = own->OfSource(*source);
  if (of_source.ok()) return std::move(of_source).value();
  exchange.Fail(of_source.error());
  return nullptr;
}

void Begin(Exchange& exchange, ReadableBackups& backups, BackupAction action, const std::string& id) {
  const auto run = backups.Begin(action, id);
  if (!run.ok()) return exchange.Fail(run.error());
  SendRun(exchange, kAccepted, *run);
}

// Of a query with to_time; false: it was answered.
bool TakeTime(Exchange& exchange, bool restores, std::optional<Timestamp>* to) {
  const std::string* const asked = exchange.query().Find("to_time");
  if (asked == nullptr) return true;
  const auto time = ParseTimestamp(*asked);
  if (time.ok() && restores) {
    *to = *time;
    return true;
  }
  exchange.Fail("invalid_argument", restores ? "the query parameter \"to_time\": " + time.error().message()
                                             : "the query parameter \"to_time\" is for action=restore");
  return false;
}

void BeginRestoreTo(Exchange& exchange, ReadableBackups& backups, Timestamp to, const std::string& id) {
  const auto run = backups.BeginRestoreTo(to, id, exchange.deadline());
  if (!run.ok()) return exchange.Fail(run.error());
  SendRun(exchange, kAccepted, *run);
}

}  // namespace

void ListBackups(ExchangePtr exchange) {
  const Read backups = ReadBackupsOf(*exchange);
  if (backups == nullptr) return;
  const bool own = exchange->query().Find("source") == nullptr;
  RunOnPool(std::move(exchange), [backups, own](Exchange& running) {
    const auto all = backups->List(running.deadline());
    if (!all.ok()) return running.Fail(all.error());
    json::JsonWriter json;
    json.BeginObject().Key("items").BeginArray();
    for (const BackupInfo& info : *all) WriteInfo(info, &json);
    json.EndArray();
    const auto window = backups->Window(running.deadline());
    if (!window.ok()) return running.Fail(window.error());
    if (*window) {
      json.Key("restorable").BeginObject().Key("earliest").String(FormatTimestamp((*window)->earliest));
      json.Key("latest").String(FormatTimestamp((*window)->latest)).EndObject();
    }
    const auto schedule = own ? running.store().backups->Schedule() : std::nullopt;
    if (schedule) WriteSchedule(*schedule, &json);
    json.EndObject();
    running.SendJson(200, json.Take());
  });
}

void PostBackups(ExchangePtr exchange) {
  const std::string* const asked = exchange->query().Find("action");
  const bool prune = asked != nullptr && *asked == "prune";
  const bool restore = asked != nullptr && *asked == "restore";
  const Read backups = restore ? ReadBackupsOf(*exchange) : Read(Read(), BackupsOf(*exchange));
  if (backups == nullptr) return;
  if (!prune && !restore && asked != nullptr && *asked != "create") {
    return exchange->Fail("invalid_argument", "the query parameter \"action\" is none of create, prune and restore");
  }
  std::optional<Timestamp> to;
  if (!TakeTime(*exchange, restore, &to)) return;
  const auto id = TakeIdBody(*exchange);
  if (!id) return;
  if (restore) {
    if (!to) {
      return exchange->Fail(
          "invalid_argument",
          "without the id of a backup a restore needs a time; say it in to_time, or the id in the path");
    }
    return RunOnPool(std::move(exchange),
                     [backups, to = *to, id = *id](Exchange& running) { BeginRestoreTo(running, *backups, to, id); });
  }
  if (prune && !id->empty()) return exchange->Fail("invalid_argument", "id: prune takes none");
  const std::string* const kind = exchange->query().Find("kind");
  const bool incremental = kind != nullptr && *kind == "incremental";
  if (kind != nullptr && (prune || (!incremental && *kind != "full"))) {
    return exchange->Fail("invalid_argument",
                          "the query parameter \"kind\" is full or incremental, of a backup that is to be made");
  }
  const BackupAction create = incremental ? BackupAction::kIncrement : BackupAction::kCreate;
  Begin(*exchange, *backups, prune ? BackupAction::kPrune : create, *id);
}

void GetBackup(ExchangePtr exchange) {
  const Read backups = ReadBackupsOf(*exchange);
  if (backups == nullptr) return;
  RunOnPool(std::move(exchange), [backups](Exchange& running) {
    const auto info = backups->Get(running.key(), running.deadline());
    if (!info.ok()) return running.Fail(info.error());
    json::JsonWriter json;
    WriteInfo(*info, &json);
    running.SendJson(200, json.Take());
  });
}

void DeleteBackup(ExchangePtr exchange) {
  StoreBackups* const backups = BackupsOf(*exchange);
  if (backups == nullptr) return;
  RunOnPool(std::move(exchange), [backups](Exchange& running) {
    const Status deleted = backups->Delete(running.key(), running.deadline());
    if (!deleted.ok()) return running.Fail(deleted.error());
    Response response;
    response.status = 204;
    running.Send(std::move(response));
  });
}

void PostBackup(ExchangePtr exchange) {
  const Read backups = ReadBackupsOf(*exchange);
  if (backups == nullptr) return;
  const std::string* const asked = exchange->query().Find("action");
  constexpr std::array kOfOne = {BackupAction::kVerify, BackupAction::kDrill, BackupAction::kRestore};
  const auto* const action = std::find_if(kOfOne.begin(), kOfOne.end(), [asked](BackupAction each) {
    return asked != nullptr && *asked == storage::BackupActionName(each);
  });
  if (action == kOfOne.end()) {
    return exchange->Fail("invalid_argument", "the query parameter \"action\" is none of verify, drill and restore");
  }
  std::optional<Timestamp> to;
  if (!TakeTime(*exchange, *action == BackupAction::kRestore, &to)) return;
  RunOnPool(std::move(exchange), [backups, action = *action, to](Exchange& running) {
    const auto info = backups->Get(running.key(), running.deadline());
    if (!info.ok()) return running.Fail(info.error());
    if (to) return BeginRestoreTo(running, *backups, *to, running.key());
    Begin(running, *backups, action, running.key());
  });
}

void GetBackupRun(ExchangePtr exchange) {
  StoreBackups* const backups = AnyBackupsOf(*exchange);
  if (backups == nullptr) return;
  const auto run = backups->FindRun(exchange->key());
  if (!run.ok()) return exchange->Fail(run.error());
  SendRun(*exchange, 200, *run);
}

}  // namespace holdfast::api
