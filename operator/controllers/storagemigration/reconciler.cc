#include "operator/controllers/storagemigration/reconciler.h"

#include <utility>

#include "base/log/log.h"
#include "operator/controllers/storagemigration/finalizer.h"
#include "operator/controllers/storagemigration/records.h"
#include "operator/kube/finalizers.h"
#include "operator/kube/status_update.h"

namespace holdfast::storagemigration {
namespace {

using kube::Json;
using runtime::Outcome;

constexpr int kStatusAttempts = 1;  // what was decided is about this version of the object

Result<Json> WriteStatus(kube::Client& client, const Json& object, const api::StorageMigrationStatus& status,
                         Deadline deadline) {
  return kube::UpdateStatus(client, kube::kinds::kStorageMigration, object,
                            {.what = "the status",
                             .attempts = kStatusAttempts,
                             .status_of = [&](const Json&) { return StatusToJson(status); }},
                            deadline);
}

Status Patch(kube::Client& client, const kube::ObjectKey& key, const Json& patch, Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(client.MergePatch(kube::kinds::kStorageMigration, key, patch, deadline));
  return {};
}

std::string ReasonOf(const api::StorageMigrationStatus& status, const char* type) {
  const api::Condition* condition = api::FindCondition(status.conditions, type);
  return condition == nullptr ? std::string() : condition->reason;
}

bool Holds(const api::StorageMigrationStatus& status, const char* type) {
  const api::Condition* condition = api::FindCondition(status.conditions, type);
  return condition != nullptr && condition->status == api::ConditionStatus::kTrue;
}

}  // namespace

MigrationReconciler::MigrationReconciler(kube::Client& client, kube::EventRecorder& events,
                                         std::function<const kube::Lister&(const std::string& ns)> copies_of,
                                         ServiceClient& service, const MigrationOptions& options, const Clock& clock)
    : client_(client),
      events_(events),
      copies_of_(std::move(copies_of)),
      service_(service),
      options_(options),
      clock_(clock),
      gatherer_(client, service, options.answer_timeout, options.tidying, clock) {}

Outcome MigrationReconciler::OutcomeOf(Pace pace) const {
  switch (pace) {
    case Pace::kRest:
      break;
    case Pace::kPerson:
      return Outcome::After(options_.person_interval);
    case Pace::kFollow:
      return Outcome::After(options_.follow_interval);
    case Pace::kNow:
      return Outcome::After(options_.step_interval);
  }
  return Outcome::Done();
}

Result<Outcome> MigrationReconciler::Reconcile(const runtime::Request& request, std::stop_token /*stop*/) {
  const kube::ObjectPtr copy = copies_of_(request.ns).Get(request);
  const auto forget = [&] {
    const std::lock_guard lock(mutex_);
    refusals_.erase(request);
    return Outcome::Done();
  };
  if (copy == nullptr) return forget();
  const api::ParsedStorageMigration known = api::ParseStorageMigration(*copy);
  if (known.migration && IsOver(*known.migration, kube::HasFinalizer(*copy, kFinalizer))) return forget();

  const Deadline deadline = Deadline::After(options_.reconcile_timeout);
  auto read = client_.Get(kube::kinds::kStorageMigration, request, deadline);
  if (!read.ok() && read.error().code() == ErrorCode::kNotFound) return forget();
  if (!read.ok()) return std::move(read).error().WithContext("reading StorageMigration " + request.ToString());
  const Json object = std::move(read).value();
  const api::ParsedStorageMigration parsed = api::ParseStorageMigration(object);
  if (!parsed.migration) return ReportInvalid(object, api::Summarize(parsed.errors), deadline);
  if (IsOver(*parsed.migration, kube::HasFinalizer(object, kFinalizer))) return forget();

  HOLDFAST_ASSIGN_OR_RETURN(Gathered gathered, gatherer_.Gather(object, *parsed.migration, deadline));
  AddRefusal(request, &gathered.facts);
  const Verdict verdict = Decide(gathered.facts);
  const api::StorageMigrationStatus status = Conclude(verdict, gathered.facts.now);
  HOLDFAST_ASSIGN_OR_RETURN(const Json written, WriteStatus(client_, object, status, deadline));
  Announce(written, parsed.migration->status, status);
  // Behind the status, which says that it may have been done.
  HOLDFAST_RETURN_IF_ERROR(Do(verdict.act, written, gathered, deadline));
  return OutcomeOf(verdict.pace);
}

void MigrationReconciler::AddRefusal(const runtime::Request& request, Facts* facts) {
  const std::lock_guard lock(mutex_);
  const auto found = refusals_.find(request);
  if (found == refusals_.end() || found->second.uid != facts->migration.uid) return;
  facts->refused = found->second.act;
  facts->refusal = found->second.text;
}

Status MigrationReconciler::Do(Act act, const Json& object, const Gathered& gathered, Deadline deadline) {
  const kube::ObjectKey key = kube::KeyOf(object);
  const api::StorageMigration& migration = gathered.facts.migration;
  switch (act) {
    case Act::kNone:
      return {};
    case Act::kHold:
      return Patch(client_, key, kube::AddFinalizerPatch(object, kFinalizer), deadline);
    case Act::kRelease:
      return Patch(client_, key, kube::RemoveFinalizerPatch(object, kFinalizer), deadline);
    case Act::kPrepare:
      return PrepareMove(client_, gathered.cluster, *gathered.facts.wanted, deadline);
    case Act::kSettle:
      return SettleMove(client_, gathered.cluster, migration, deadline);
    case Act::kForget:
      return ForgetMove(client_, gathered.cluster, migration, deadline);
    case Act::kStart:
    case Act::kSwitchReads:
    case Act::kCutOver:
    case Act::kAbort:
      break;
  }
  return Tell(act, object, gathered, deadline);
}

Status MigrationReconciler::Tell(Act act, const Json& object, const Gathered& gathered, Deadline deadline) {
  const kube::ObjectKey key = kube::KeyOf(object);
  const Deadline patience = Deadline::After(options_.answer_timeout).Sooner(deadline);
  const Status told = service_.Tell(*gathered.service, gathered.facts.migration.spec.store, NameOf(act), patience);
  const std::lock_guard lock(mutex_);
  if (told.ok() || told.error().code() != ErrorCode::kFailedPrecondition) refusals_.erase(key);
  if (told.ok()) {
    log::Info("the service was told to go on with a migration",
              {{"namespace", key.ns}, {"migration", key.name}, {"action", NameOf(act)}});
  } else if (told.error().code() == ErrorCode::kFailedPrecondition) {
    refusals_[key] = {kube::UidOf(object), act, told.error().message()};
  } else {
    // Whether it was done shows in what it says next.
    log::Warn("the service did not say whether it goes on with a migration",
              {{"namespace", key.ns}, {"migration", key.name}, {"error", told.error().message()}});
  }
  return {};
}

Result<Outcome> MigrationReconciler::ReportInvalid(const Json& object, const std::string& why, Deadline deadline) {
  // What was begun is not left to itself: the API server takes no such spec, so it is an older one's.
  Verdict verdict;
  verdict.status.conditions =
      api::ConditionsFromJson(object.value("status", Json::object()).value("conditions", Json::array()));
  verdict.status.observed_generation = kube::GenerationOf(object);
  verdict.progress = {"InvalidSpec", why};
  verdict.progressing = false;
  const api::StorageMigrationStatus status = Conclude(verdict, clock_.Now());
  HOLDFAST_RETURN_IF_ERROR(kube::UpdateStatus(client_, kube::kinds::kStorageMigration, object,
                                              {.what = "the status",
                                               .attempts = kStatusAttempts,
                                               .status_of =
                                                   [&](const Json& present) {
                                                     Json kept = present.value("status", Json::object());
                                                     kept.update(StatusToJson(status));
                                                     return kept;
                                                   }},
                                              deadline));
  return Outcome::Done();
}

void MigrationReconciler::Announce(const Json& object, const api::StorageMigrationStatus& before,
                                   const api::StorageMigrationStatus& after) {
  const auto tell = [&](const char* type, kube::EventType severity) {
    const api::Condition* condition = api::FindCondition(after.conditions, type);
    events_.Record(object, severity, condition->reason, condition->message);
  };
  if (Holds(after, kCompleteCondition) && !Holds(before, kCompleteCondition)) {
    tell(kCompleteCondition, kube::EventType::kNormal);
  }
  if (Holds(after, kFailedCondition) && !Holds(before, kFailedCondition)) {
    tell(kFailedCondition, kube::EventType::kWarning);
  }
  if (ReasonOf(before, kProgressingCondition) == ReasonOf(after, kProgressingCondition)) return;
  const bool over = Holds(after, kCompleteCondition) || Holds(after, kFailedCondition);
  const bool waits = !Holds(after, kProgressingCondition) && !over;
  tell(kProgressingCondition, waits ? kube::EventType::kWarning : kube::EventType::kNormal);
}

}  // namespace holdfast::storagemigration
