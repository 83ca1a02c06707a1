#include "operator/controllers/storagebackup/run_reconciler.h"

#include <utility>

#include "operator/api/v1/condition.h"
#include "operator/kube/status_update.h"

namespace holdfast::storagebackup {
namespace {

using kube::Json;
using runtime::Outcome;

constexpr int kOneAttempt = 1;  // what was decided is about this version of the object
constexpr int kPatchAttempts = 3;

std::vector<api::Condition> ConditionsIn(const Json& object) {
  const Json status = object.value("status", Json::object());
  return api::ConditionsFromJson(status.is_object() ? status.value("conditions", Json::array()) : Json::array());
}

const api::Condition* Deciding(const std::vector<api::Condition>& conditions) {
  for (const char* type : {kCompleteCondition, kFailedCondition}) {
    const api::Condition* condition = api::FindCondition(conditions, type);
    if (condition != nullptr && condition->status == api::ConditionStatus::kTrue) return condition;
  }
  return api::FindCondition(conditions, kProgressingCondition);
}

}  // namespace

Outcome RunReconciler::OutcomeOf(Pace pace) const {
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

Result<Outcome> RunReconciler::Reconcile(const runtime::Request& request, std::stop_token /*stop*/) {
  const kube::ObjectPtr copy = around_.copies_of(request.ns).Get(request);
  if (copy == nullptr || IsOver(ConditionsIn(*copy))) return Outcome::Done();
  const Deadline deadline = Deadline::After(options_.reconcile_timeout);
  auto read = around_.client.Get(kind_, request, deadline);
  if (!read.ok() && read.error().code() == ErrorCode::kNotFound) return Outcome::Done();
  if (!read.ok()) {
    return std::move(read).error().WithContext("reading " + kind_.kind + " " + request.ToString());
  }
  if (kube::IsBeingDeleted(*read) || IsOver(ConditionsIn(*read))) {
    NoteRefusal(*read, std::nullopt);
    return Outcome::Done();
  }
  return Step(*read, deadline).WithContext(kind_.kind + " " + request.ToString());
}

Result<Json> RunReconciler::WriteStatus(const Json& object, const Json& status, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(
      Json written,
      kube::UpdateStatus(
          around_.client, kind_, object,
          {.what = "the status", .attempts = kOneAttempt, .status_of = [&](const Json&) { return status; }}, deadline));
  Announce(written, object);
  return written;
}

Status RunReconciler::PatchStatus(const Json& object, const Json& changes, Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(kube::UpdateStatus(around_.client, kind_, object,
                                              {.what = "the status",
                                               .attempts = kPatchAttempts,
                                               .status_of =
                                                   [&](const Json& present) {
                                                     Json status = present.value("status", Json::object());
                                                     status.merge_patch(changes);
                                                     return status;
                                                   }},
                                              deadline));
  return {};
}

Result<Outcome> RunReconciler::ReportInvalid(const Json& object, const std::string& why, Deadline deadline) {
  std::vector<api::Condition> conditions = ConditionsIn(object);
  SetConditions({"InvalidSpec", why}, Pace::kRest, End::kFailed, kube::GenerationOf(object), around_.clock.Now(),
                &conditions);
  Json status = object.value("status", Json::object());
  if (!status.is_object()) status = Json::object();
  status.merge_patch({{"observedGeneration", kube::GenerationOf(object)},
                      {"phase", "Failed"},
                      {"message", why},
                      {"conditions", api::ConditionsToJson(conditions)}});
  HOLDFAST_RETURN_IF_ERROR(WriteStatus(object, status, deadline));
  return Outcome::Done();
}

std::optional<std::string> RunReconciler::RefusalOf(const Json& object) {
  const std::lock_guard lock(mutex_);
  const auto found = refusals_.find(kube::UidOf(object));
  return found == refusals_.end() ? std::nullopt : std::optional(found->second);
}

void RunReconciler::NoteRefusal(const Json& object, std::optional<std::string> refusal) {
  const std::lock_guard lock(mutex_);
  if (refusal) {
    refusals_[kube::UidOf(object)] = *std::move(refusal);
  } else {
    refusals_.erase(kube::UidOf(object));
  }
}

void RunReconciler::Announce(const Json& object, const Json& before) {
  const std::vector<api::Condition> former = ConditionsIn(before);
  const std::vector<api::Condition> present = ConditionsIn(object);
  const api::Condition* told = Deciding(former);
  const api::Condition* tells = Deciding(present);
  if (tells == nullptr || (told != nullptr && told->type == tells->type && told->reason == tells->reason)) return;
  const bool waits = tells->type == kProgressingCondition && tells->status == api::ConditionStatus::kFalse;
  const bool warns = waits || tells->type == kFailedCondition;
  around_.events.Record(object, warns ? kube::EventType::kWarning : kube::EventType::kNormal, tells->reason,
                        tells->message);
}

}  // namespace holdfast::storagebackup
