#include "operator/controllers/storagebackup/backup_reconciler.h"

#include <utility>

#include "base/log/log.h"
#include "operator/api/v1/annotations.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/controllers/storagebackup/place.h"

namespace holdfast::storagebackup {
namespace {

using kube::Json;
using runtime::Outcome;

// The run first: what has ended then shows in the backup, which is read behind it.
void AskAround(ServiceClient& service, const Endpoint& endpoint, Deadline deadline, BackupFacts* facts) {
  const api::StorageBackupStatus& status = facts->backup.status;
  if (status.id.empty()) return;
  if (!status.run.empty()) {
    Result<Run> run = service.FindRun(endpoint, facts->backup.spec.store, status.run, deadline);
    if (run.ok()) {
      facts->run = std::move(run).value();
    } else if (run.error().code() != ErrorCode::kNotFound) {
      facts->silence = run.error().message();
      return;
    }
  }
  Result<Item> item = service.FindItem(endpoint, {facts->backup.spec.store}, status.id, deadline);
  if (item.ok()) {
    facts->item = std::move(item).value();
  } else if (item.error().code() != ErrorCode::kNotFound) {
    facts->silence = item.error().message();
  }
}

}  // namespace

BackupReconciler::BackupReconciler(Surroundings surroundings, const RunOptions& options)
    : RunReconciler(kube::kinds::kStorageBackup, std::move(surroundings), options) {}

Result<Outcome> BackupReconciler::Step(const Json& object, Deadline deadline) {
  const api::ParsedStorageBackup parsed = api::ParseStorageBackup(object);
  if (!parsed.backup) return ReportInvalid(object, api::Summarize(parsed.errors), deadline);
  BackupFacts facts{.backup = *parsed.backup, .now = around_.clock.Now()};
  const api::StorageBackupSpec& spec = facts.backup.spec;
  HOLDFAST_ASSIGN_OR_RETURN(Place place, FindPlace(around_.client,
                                                   {.ns = facts.backup.metadata.ns,
                                                    .cluster = spec.cluster,
                                                    .store = spec.store,
                                                    .object_kind = api::kStorageBackupKind,
                                                    .preferred_pod = facts.backup.status.pod},
                                                   deadline));
  facts.paused = place.paused || api::IsPaused(object);
  facts.unusable = std::move(place.unusable);
  facts.silence = std::move(place.silence);
  facts.refusal = RefusalOf(object);
  if (place.service) {
    facts.pod = place.service->pod;
    AskAround(around_.service, place.service->endpoint, Patience(deadline), &facts);
  }
  const BackupVerdict verdict = DecideBackup(facts);
  HOLDFAST_ASSIGN_OR_RETURN(const Json written, WriteStatus(object, StatusToJson(verdict.status), deadline));
  // Behind the status, which says that it may have been asked for.
  if (verdict.ask && place.service) {
    HOLDFAST_RETURN_IF_ERROR(Ask(written, verdict, spec, *place.service, deadline));
  }
  if (verdict.pace == Pace::kRest) NoteRefusal(object, std::nullopt);
  return OutcomeOf(verdict.pace);
}

Status BackupReconciler::Ask(const Json& object, const BackupVerdict& verdict, const api::StorageBackupSpec& spec,
                             const service_access::Reached& service, Deadline deadline) {
  const Result<Run> run =
      around_.service.Ask(service.endpoint, {spec.store}, *verdict.ask, verdict.status.id, Patience(deadline));
  if (run.ok()) {
    NoteRefusal(object, std::nullopt);
    return PatchStatus(object, {{"run", run->id}, {"pod", service.pod.empty() ? Json() : Json(service.pod)}}, deadline);
  }
  const bool refused =
      run.error().code() == ErrorCode::kFailedPrecondition || run.error().code() == ErrorCode::kUnavailable;
  NoteRefusal(object, refused ? std::optional(run.error().message()) : std::nullopt);
  // Whether it was begun shows in the backup.
  const kube::ObjectKey key = kube::KeyOf(object);
  log::Warn("the service did not say that it goes on with a backup",
            {{"namespace", key.ns}, {"backup", key.name}, {"error", run.error().message()}});
  return {};
}

}  // namespace holdfast::storagebackup
