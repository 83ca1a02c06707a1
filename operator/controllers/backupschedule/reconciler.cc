#include "operator/controllers/backupschedule/reconciler.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "operator/api/v1/annotations.h"
#include "operator/api/v1/backup_health.h"
#include "operator/kube/get_or_null.h"
#include "operator/kube/status_update.h"
#include "operator/resources/names.h"

namespace holdfast::backupschedule {
namespace {

using kube::Json;
using runtime::Outcome;

constexpr int kOneAttempt = 1;  // what was decided is about this version of the cluster
constexpr std::chrono::milliseconds kShortestWait{10};

std::string SelectorOf(const api::StorageCluster& cluster) {
  std::string selector = resources::kClusterLabel;
  selector.append("=").append(cluster.name).append(",").append(api::kBackupScheduleLabel);
  return selector;
}

// The status of a schedule whose StorageBackup could not be made: the tick is not seen to.
api::BackupScheduleStatus NotMade(const Facts& facts, const SchedulePlan& plan, const Error& why) {
  api::BackupScheduleStatus status = plan.status;
  for (const api::BackupScheduleStatus& each : facts.known) {
    if (each.name == status.name) status = each;
  }
  status.healthy = false;
  status.reason = "BackupNotMade";
  status.message = why.message();
  return status;
}

}  // namespace

Facts ScheduleReconciler::FactsOf(const api::StorageCluster& cluster, const Json& object,
                                  const std::vector<kube::ObjectPtr>& backups) const {
  Facts facts{.cluster = cluster,
              .schedules = api::ReadBackupSchedules(object),
              .quiet = api::IsPaused(object) || cluster.hibernated,
              .known = api::BackupScheduleStatusesOf(object),
              .backups = {},
              .now = clock_.Now()};
  for (const kube::ObjectPtr& each : backups) {
    if (auto backup = ScheduledBackupOf(*each, cluster.uid)) facts.backups.push_back(*std::move(backup));
  }
  return facts;
}

Outcome ScheduleReconciler::Wait(const Plan& plan) const {
  if (plan.schedules.empty()) return Outcome::Done();
  if (!plan.next_tick) return Outcome::After(options_.longest_wait);
  const auto until_then = std::chrono::ceil<std::chrono::milliseconds>(*plan.next_tick - clock_.Now());
  return Outcome::After(std::clamp(until_then, kShortestWait, options_.longest_wait));
}

Result<Outcome> ScheduleReconciler::Reconcile(const runtime::Request& request, std::stop_token /*stop*/) {
  const Copies copies = copies_of_(request.ns);
  const kube::ObjectPtr copy = copies.clusters->Get(request);
  if (copy == nullptr || kube::IsBeingDeleted(*copy)) return Outcome::Done();
  {
    const api::ParsedStorageCluster parsed = api::ParseStorageCluster(*copy);
    // The condition Ready says what is wrong with it.
    if (!parsed.cluster) return Outcome::Done();
    const Facts facts = FactsOf(*parsed.cluster, *copy,
                                copies.backups->ListLabelled(request.ns, resources::kClusterLabel, request.name));
    const Plan plan = Decide(facts);
    if (!plan.HasWork() && plan.Statuses() == facts.known) return Wait(plan);
  }
  const Deadline deadline = Deadline::After(options_.reconcile_timeout);
  HOLDFAST_ASSIGN_OR_RETURN(const Json object,
                            kube::GetOrNull(client_, kube::kinds::kStorageCluster, request, deadline));
  if (object.is_null() || kube::IsBeingDeleted(object)) return Outcome::Done();
  const api::ParsedStorageCluster parsed = api::ParseStorageCluster(object);
  if (!parsed.cluster) return Outcome::Done();
  kube::ListOptions options;
  options.label_selector = SelectorOf(*parsed.cluster);
  HOLDFAST_ASSIGN_OR_RETURN(kube::ObjectList list,
                            client_.List(kube::kinds::kStorageBackup, request.ns, options, deadline));
  std::vector<kube::ObjectPtr> backups;
  for (Json& each : list.items) backups.push_back(std::make_shared<const Json>(std::move(each)));
  return CarryOut(object, FactsOf(*parsed.cluster, object, backups), deadline)
      .WithContext("schedules of backups of StorageCluster " + request.ToString());
}

Result<Outcome> ScheduleReconciler::CarryOut(const Json& object, const Facts& facts, Deadline deadline) {
  const Plan plan = Decide(facts);
  std::vector<api::BackupScheduleStatus> statuses;
  std::vector<News> news;
  Status failure;
  for (const SchedulePlan& each : plan.schedules) {
    const Status made = each.make ? Make(facts.cluster, each.schedule, *each.make, deadline) : Status();
    statuses.push_back(made.ok() ? each.status : NotMade(facts, each, made.error()));
    if (made.ok() && each.news) news.push_back(*each.news);
    if (!made.ok()) failure = made;
  }
  const auto status_of = [&](const Json& present) {
    Json status = present.value("status", Json::object());
    if (statuses == api::BackupScheduleStatusesOf(present)) return status;
    if (statuses.empty()) {
      status.erase(api::kBackupSchedulesStatus);
    } else {
      status[api::kBackupSchedulesStatus] = api::BackupScheduleStatusesToJson(statuses);
    }
    api::SetBackupHealthy(kube::GenerationOf(present), facts.now, &status);
    return status;
  };
  const auto written = kube::UpdateStatus(client_, kube::kinds::kStorageCluster, object,
                                          {"status.backupSchedules", kOneAttempt, status_of}, deadline);
  if (!written.ok() && written.error().code() == ErrorCode::kVersionConflict) {
    return Outcome::After(options_.retry_interval);
  }
  if (!written.ok()) return written.error();
  for (const News& each : news) {
    events_.Record(object, each.warning ? kube::EventType::kWarning : kube::EventType::kNormal, each.reason,
                   each.message);
  }
  for (const SchedulePlan& each : plan.schedules) {
    HOLDFAST_RETURN_IF_ERROR(Remove(facts.cluster.ns, each, deadline));
  }
  HOLDFAST_RETURN_IF_ERROR(failure);
  return Wait(plan);
}

Status ScheduleReconciler::Make(const api::StorageCluster& cluster, const api::BackupSchedule& schedule, Timestamp tick,
                                Deadline deadline) {
  const Json backup = MakeBackup(cluster, schedule, tick);
  auto created = client_.Create(kube::kinds::kStorageBackup, backup, deadline);
  if (created.ok()) return {};
  if (created.error().code() != ErrorCode::kAlreadyExists) {
    return std::move(created).error().WithContext("making StorageBackup " + kube::KeyOf(backup).name);
  }
  HOLDFAST_ASSIGN_OR_RETURN(const Json present,
                            kube::GetOrNull(client_, kube::kinds::kStorageBackup, kube::KeyOf(backup), deadline));
  if (present.is_null() || ScheduledBackupOf(present, cluster.uid)) return {};
  return Error(ErrorCode::kFailedPrecondition,
               "StorageBackup " + kube::KeyOf(backup).name +
                   " is there, and the schedule has not made it: delete it, so that the tick's own can be made");
}

Status ScheduleReconciler::Remove(const std::string& ns, const SchedulePlan& plan, Deadline deadline) {
  for (const ScheduledBackup& each : plan.remove) {
    Status removed = client_.Delete(kube::kinds::kStorageBackup, {ns, each.name},
                                    {.uid = each.uid, .resource_version = each.resource_version}, deadline);
    // It is gone, or another one by now: then the next look decides.
    const bool moved = !removed.ok() && (removed.error().code() == ErrorCode::kNotFound ||
                                         removed.error().code() == ErrorCode::kVersionConflict);
    if (!removed.ok() && !moved) return std::move(removed).error().WithContext("deleting StorageBackup " + each.name);
  }
  return {};
}

}  // namespace holdfast::backupschedule
