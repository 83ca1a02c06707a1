#include "operator/controllers/storagebackup/restore_reconciler.h"

#include <utility>

#include "operator/api/v1/annotations.h"
#include "operator/api/v1/storage_backup.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/controllers/storagebackup/place.h"
#include "operator/kube/get_or_null.h"

namespace holdfast::storagebackup {

using kube::Json;
using runtime::Outcome;

namespace {

BackupsOf BackupsIn(const api::StorageRestoreSpec& spec) {
  return {.store = spec.store, .source = spec.source_store};
}

}  // namespace

RestoreReconciler::RestoreReconciler(Surroundings surroundings, const RunOptions& options)
    : RunReconciler(kube::kinds::kStorageRestore, std::move(surroundings), options) {}

Status RestoreReconciler::FindBackup(RestoreFacts* facts, Deadline deadline) const {
  const api::StorageRestoreSpec& spec = facts->restore.spec;
  facts->id = spec.id;
  if (spec.backup.empty()) return {};
  HOLDFAST_ASSIGN_OR_RETURN(const Json object, kube::GetOrNull(around_.client, kube::kinds::kStorageBackup,
                                                               {facts->restore.metadata.ns, spec.backup}, deadline));
  const auto nothing = [&](std::string reason, std::string message) {
    facts->no_backup = Said{std::move(reason), std::move(message)};
    return Status();
  };
  if (object.is_null()) {
    return nothing("NoBackup", "there is no StorageBackup " + spec.backup +
                                   " in this namespace: name one that "
                                   "has succeeded, or a backup's own name in backupId");
  }
  const api::ParsedStorageBackup parsed = api::ParseStorageBackup(object);
  if (!parsed.backup || parsed.backup->status.phase != api::kPhaseSucceeded) {
    return nothing("NoBackup", "StorageBackup " + spec.backup + " has not succeeded: wait for it, or name another one");
  }
  const std::string& wanted = spec.source_store.empty() ? spec.store : spec.source_store;
  if (parsed.backup->spec.store != wanted) {
    return nothing("NoBackup", "StorageBackup " + spec.backup + " is of store " + parsed.backup->spec.store +
                                   (spec.source_store.empty()
                                        ? ", and a backup is only restored to the store that it is of, but from "
                                          "another cluster, which sourceStore is for"
                                        : ", and sourceStore is " + wanted));
  }
  facts->id = parsed.backup->status.id;
  return {};
}

void RestoreReconciler::AskAround(const service_access::Reached& service, RestoreFacts* facts,
                                  Deadline deadline) const {
  const api::StorageRestoreStatus& status = facts->restore.status;
  const std::string& store = facts->restore.spec.store;
  if (!status.started) {
    if (facts->no_backup || facts->restore.spec.to) return;
    Result<Item> item =
        around_.service.FindItem(service.endpoint, BackupsIn(facts->restore.spec), facts->id, Patience(deadline));
    if (item.ok()) {
      facts->item = std::move(item).value();
    } else if (item.error().code() != ErrorCode::kNotFound) {
      facts->silence = item.error().message();
    }
    return;
  }
  if (status.run.empty()) return;
  Result<Run> run = around_.service.FindRun(service.endpoint, store, status.run, Patience(deadline));
  if (run.ok()) {
    facts->run = std::move(run).value();
    if (facts->run->failed()) facts->restorable = TimesOf(facts->restore.spec, service, deadline);
  } else if (run.error().code() != ErrorCode::kNotFound) {
    facts->silence = run.error().message();
  } else if (!status.pod.empty() && service.pod == status.pod) {
    // A process remembers its last runs; so it is another one, in the same pod.
    facts->run_is_lost = true;
  }
}

std::optional<Restorable> RestoreReconciler::TimesOf(const api::StorageRestoreSpec& spec,
                                                     const service_access::Reached& service, Deadline deadline) const {
  if (!spec.to) return std::nullopt;
  Result<Restorable> found = around_.service.FindRestorable(service.endpoint, BackupsIn(spec), Patience(deadline));
  return found.ok() ? std::optional(*found) : std::nullopt;
}

Result<Outcome> RestoreReconciler::Step(const Json& object, Deadline deadline) {
  const api::ParsedStorageRestore parsed = api::ParseStorageRestore(object);
  if (!parsed.restore) return ReportInvalid(object, api::Summarize(parsed.errors), deadline);
  RestoreFacts facts{.restore = *parsed.restore, .now = around_.clock.Now()};
  const api::StorageRestoreSpec& spec = facts.restore.spec;
  HOLDFAST_ASSIGN_OR_RETURN(Place place, FindPlace(around_.client,
                                                   {.ns = facts.restore.metadata.ns,
                                                    .cluster = spec.cluster,
                                                    .store = spec.store,
                                                    .object_kind = api::kStorageRestoreKind,
                                                    .preferred_pod = facts.restore.status.pod,
                                                    .of_source = !spec.source_store.empty()},
                                                   deadline));
  facts.paused = place.paused || api::IsPaused(object);
  facts.unusable = std::move(place.unusable);
  facts.silence = std::move(place.silence);
  facts.run_is_lost = place.pod_is_gone;
  if (!facts.restore.status.started) HOLDFAST_RETURN_IF_ERROR(FindBackup(&facts, deadline));
  if (place.service) AskAround(*place.service, &facts, deadline);
  const RestoreVerdict verdict = DecideRestore(facts);
  HOLDFAST_ASSIGN_OR_RETURN(const Json written, WriteStatus(object, StatusToJson(verdict.status), deadline));
  if (verdict.tell) HOLDFAST_RETURN_IF_ERROR(Tell(written, verdict, spec, *place.service, deadline));
  return OutcomeOf(verdict.pace);
}

Status RestoreReconciler::Tell(const Json& object, const RestoreVerdict& verdict, const api::StorageRestoreSpec& spec,
                               const service_access::Reached& service, Deadline deadline) {
  const Result<Run> run =
      spec.to ? around_.service.RestoreTo(service.endpoint, BackupsIn(spec), *spec.to, Patience(deadline))
              : around_.service.Ask(service.endpoint, BackupsIn(spec), Wish::kRestore, verdict.status.id,
                                    Patience(deadline));
  if (run.ok()) {
    Json changes = {{"run", run->id}, {"pod", service.pod.empty() ? Json() : Json(service.pod)}};
    if (spec.to && !run->backup.empty()) changes["id"] = run->backup;
    return PatchStatus(object, changes, deadline);
  }
  if (run.error().code() == ErrorCode::kUnavailable) {
    // Certainly not begun: it may be told later.
    return PatchStatus(
        object, {{"startedAt", nullptr}, {"phase", api::kPhasePending}, {"message", run.error().message()}}, deadline);
  }
  api::StorageRestoreStatus status = verdict.status;
  const bool refused = run.error().code() == ErrorCode::kFailedPrecondition;
  const Said said = refused ? Refused(spec, run.error().message(), TimesOf(spec, service, deadline))
                            : Said{"OutcomeUnknown",
                                   "whether the service restores nobody knows (" + run.error().message() +
                                       "): look what the store holds, and at `holdfast checkpoint list`; to restore "
                                       "again make another StorageRestore"};
  status.phase = api::kPhaseFailed;
  status.message = said.message;
  SetConditions(said, Pace::kRest, End::kFailed, status.observed_generation, around_.clock.Now(), &status.conditions);
  HOLDFAST_RETURN_IF_ERROR(WriteStatus(object, StatusToJson(status), deadline));
  return {};
}

}  // namespace holdfast::storagebackup
