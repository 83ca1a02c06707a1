#include "operator/controllers/storagecluster/migrations.h"

#include <algorithm>

#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

constexpr char kJobNameLabel[] = "job-name";
constexpr std::size_t kMaximumLogLines = 8;
constexpr std::size_t kMaximumLog = 1024;

// The annotation holds the names of Jobs, with commas between them.
bool IsApproved(const std::string& annotation, const std::string& job) {
  std::size_t from = 0;
  while (from <= annotation.size()) {
    const std::size_t comma = std::min(annotation.find(',', from), annotation.size());
    std::string_view name(annotation.data() + from, comma - from);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (name == job) return true;
    from = comma + 1;
  }
  return false;
}

std::string LastLines(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::size_t from = text.size();
  for (std::size_t lines = 0; lines < kMaximumLogLines && from > 0; ++lines) {
    const std::size_t end = text.rfind('\n', from - 1);
    from = end == std::string::npos ? 0 : end;
  }
  text.erase(0, from);
  if (text.size() > kMaximumLog) text.erase(0, text.size() - kMaximumLog);
  return text;
}

// What the pod of the Job that ended last has left as its message.
std::string FailureDetail(const std::vector<Json>& pods, const std::string& job) {
  std::string detail;
  std::string latest;
  for (const Json& pod : pods) {
    if (kube::LabelOf(pod, kJobNameLabel) != job) continue;
    static const Json::json_pointer statuses("/status/containerStatuses");
    if (!pod.contains(statuses) || !pod.at(statuses).is_array()) continue;
    for (const Json& status : pod.at(statuses)) {
      const std::string message = kube::StringAt(status, "/state/terminated/message");
      const std::string finished = kube::StringAt(status, "/state/terminated/finishedAt");
      if (message.empty() || finished < latest) continue;
      latest = finished;
      detail = LastLines(message);
    }
  }
  return detail;
}

BackendMigration Judge(const api::StorageCluster& cluster, const resources::DesiredObject& job,
                       const Observed& observed) {
  BackendMigration migration{
      .backend = job.backend, .job = job.key().name, .phase = MigrationPhase::kWaitingForPrimary, .detail = {}};
  const Json* live = observed.Find(kube::kinds::kJob, migration.job);
  if (live != nullptr && kube::HasCondition(*live, "Complete")) {
    migration.phase = MigrationPhase::kApplied;
  } else if (live != nullptr && kube::HasCondition(*live, "Failed")) {
    migration.phase = MigrationPhase::kFailed;
    migration.detail = FailureDetail(observed.pods, migration.job);
  } else if (live != nullptr) {
    migration.phase = MigrationPhase::kRunning;
  } else {
    const auto backend = std::find_if(cluster.spec.backends.begin(), cluster.spec.backends.end(),
                                      [&](const api::BackendSpec& each) { return each.name == job.backend; });
    const bool provisioned = backend != cluster.spec.backends.end() && backend->postgres() != nullptr;
    if (provisioned && PrimaryPod(observed.pods, job.backend) == nullptr) return migration;
    const bool approved =
        cluster.spec.migrations == api::MigrationPolicy::kAuto || IsApproved(cluster.apply_migrations, migration.job);
    migration.phase = approved ? MigrationPhase::kRunning : MigrationPhase::kWaitingForApproval;
  }
  return migration;
}

}  // namespace

const Json* PrimaryPod(const std::vector<Json>& pods, const std::string& backend) {
  for (const Json& pod : pods) {
    const bool primary = kube::LabelOf(pod, resources::kRoleLabel) == resources::kPostgresRole &&
                         kube::LabelOf(pod, resources::kBackendLabel) == backend &&
                         kube::LabelOf(pod, resources::kPatroniRoleLabel) == resources::kPatroniPrimary;
    if (primary && kube::IsReady(pod)) return &pod;
  }
  return nullptr;
}

const Json* RedisPrimaryPod(const std::vector<Json>& pods, const std::string& backend) {
  for (const Json& pod : pods) {
    const bool server = kube::LabelOf(pod, resources::kRoleLabel) == resources::kRedisRole &&
                        kube::LabelOf(pod, resources::kBackendLabel) == backend;
    if (server && kube::IsReady(pod)) return &pod;
  }
  return nullptr;
}

bool Migrations::AllApplied() const {
  return std::all_of(backends.begin(), backends.end(),
                     [](const BackendMigration& each) { return each.phase == MigrationPhase::kApplied; });
}

bool Migrations::Failed() const {
  return std::any_of(backends.begin(), backends.end(),
                     [](const BackendMigration& each) { return each.phase == MigrationPhase::kFailed; });
}

Problem Migrations::Summary(const kube::ObjectKey& cluster) const {
  // What needs a person is said first.
  for (const MigrationPhase phase : {MigrationPhase::kFailed, MigrationPhase::kWaitingForApproval,
                                     MigrationPhase::kWaitingForPrimary, MigrationPhase::kRunning}) {
    for (const BackendMigration& each : backends) {
      if (each.phase != phase) continue;
      const std::string of = "backend " + each.backend + ": ";
      const std::string job = "Job " + cluster.ns + "/" + each.job;
      switch (phase) {
        case MigrationPhase::kFailed:
          return {"MigrationFailed",
                  of + job +
                      " failed and what it had begun was undone; the former service keeps serving. Mend what it "
                      "says, then delete the Job to have it run again. Its log ends with: " +
                      (each.detail.empty() ? "(nothing)" : each.detail)};
        case MigrationPhase::kWaitingForApproval:
          return {"WaitingForApproval",
                  of + "migrations.policy is Manual; to migrate: kubectl annotate --overwrite storagecluster " +
                      cluster.name + " -n " + cluster.ns + " " + api::kApplyMigrationsAnnotation + "=" + each.job};
        case MigrationPhase::kWaitingForPrimary:
          if (hibernated) return {"Hibernated", "nothing runs; migrations are looked at when the cluster wakes up"};
          return {"WaitingForPrimary", of + "no primary takes writes yet"};
        case MigrationPhase::kRunning:
        case MigrationPhase::kApplied:
          return {"Migrating", of + job + " has not ended yet"};
      }
    }
  }
  return {"AllApplied", "every schema is what the service needs"};
}

bool Migrations::Opens(const resources::DesiredObject& object) const {
  if (object.stage == resources::Stage::kAlways) return true;
  // What is to sleep need not be able to run.
  if (object.stage == resources::Stage::kService) return hibernated || AllApplied();
  return !hibernated && std::any_of(backends.begin(), backends.end(), [&](const BackendMigration& each) {
    return each.backend == object.backend && each.phase == MigrationPhase::kRunning;
  });
}

Migrations JudgeMigrations(const api::StorageCluster& cluster, const std::vector<resources::DesiredObject>& desired,
                           const Observed& observed) {
  Migrations migrations;
  migrations.hibernated = cluster.hibernated;
  for (const resources::DesiredObject& object : desired) {
    if (object.stage == resources::Stage::kMigration) migrations.backends.push_back(Judge(cluster, object, observed));
  }
  return migrations;
}

}  // namespace holdfast::storagecluster
