#include "operator/controllers/backupschedule/scheduled_backup.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "base/time/duration.h"
#include "operator/api/v1/storage_backup.h"
#include "operator/resources/build.h"
#include "operator/resources/names.h"

namespace holdfast::backupschedule {
namespace {

using kube::Json;

// The service's id of the backup is made from the first 52 characters of the name: the tick is among them.
constexpr std::size_t kMaximumPrefix = 37;
constexpr std::size_t kHashLength = 8;

// "20261123t0300z"
std::string CompactTick(Timestamp tick) {
  std::string text = FormatTimestamp(std::chrono::floor<std::chrono::minutes>(tick));
  text.resize(text.find_last_of(':'));
  std::string compact;
  for (const char c : text) {
    if (c != '-' && c != ':') compact += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return compact + "z";
}

bool BelongsTo(const Json& object, const std::string& cluster_uid) {
  static const Json::json_pointer pointer("/metadata/ownerReferences");
  if (!object.contains(pointer) || !object.at(pointer).is_array()) return false;
  const Json& owners = object.at(pointer);
  return std::any_of(owners.begin(), owners.end(),
                     [&](const Json& owner) { return kube::StringAt(owner, "/uid") == cluster_uid; });
}

// In one word.
std::string FailureOf(const Json& status) {
  if (!status.is_object()) return {};
  const std::vector<api::Condition> conditions = api::ConditionsFromJson(status.value("conditions", Json::array()));
  const api::Condition* failed = api::FindCondition(conditions, "Failed");
  return failed == nullptr ? std::string() : failed->reason;
}

}  // namespace

std::string BackupNameOf(const api::StorageCluster& cluster, const std::string& schedule, Timestamp tick) {
  return (cluster.name + "-" + schedule).substr(0, kMaximumPrefix) + "-" + CompactTick(tick) + "-" +
         resources::Sha256Of(cluster.uid + "/" + schedule).substr(0, kHashLength);
}

Json MakeBackup(const api::StorageCluster& cluster, const api::BackupSchedule& schedule, Timestamp tick) {
  return {{"apiVersion", api::kApiVersion},
          {"kind", api::kStorageBackupKind},
          {"metadata",
           {{"name", BackupNameOf(cluster, schedule.name, tick)},
            {"namespace", cluster.ns},
            {"labels",
             {{resources::kManagedByLabel, resources::kFieldManager},
              {resources::kClusterLabel, cluster.name},
              {api::kBackupScheduleLabel, schedule.name}}},
            {"annotations", {{api::kScheduledAtAnnotation, FormatTimestamp(tick)}}},
            {"ownerReferences", resources::OwnerReferences(cluster)}}},
          {"spec",
           {{"cluster", cluster.name},
            {"store", schedule.store},
            {"kind", schedule.kind},
            {"drill", schedule.drill},
            {"deadline", schedule.deadline}}}};
}

std::optional<ScheduledBackup> ScheduledBackupOf(const Json& object, const std::string& cluster_uid) {
  if (!BelongsTo(object, cluster_uid)) return std::nullopt;
  const std::string schedule = kube::LabelOf(object, api::kBackupScheduleLabel);
  static const Json::json_pointer annotations("/metadata/annotations");
  const Json notes = object.contains(annotations) ? object.at(annotations) : Json::object();
  const std::optional<Timestamp> tick = api::TimeOf(notes, api::kScheduledAtAnnotation);
  if (schedule.empty() || !tick) return std::nullopt;
  const Json status = object.value("status", Json::object());
  const std::string phase = api::TextOf(status, "phase");
  return ScheduledBackup{.name = kube::KeyOf(object).name,
                         .uid = kube::UidOf(object),
                         .resource_version = kube::ResourceVersionOf(object),
                         .schedule = schedule,
                         .tick = *tick,
                         .going = kube::IsBeingDeleted(object),
                         .over = phase == api::kPhaseSucceeded || phase == api::kPhaseFailed,
                         .succeeded = phase == api::kPhaseSucceeded,
                         .reason = FailureOf(status),
                         .message = api::TextOf(status, "message"),
                         .completed = api::TimeOf(status, "completedAt")};
}

}  // namespace holdfast::backupschedule
