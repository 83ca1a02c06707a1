#include "tests/unit/operator/backupschedule/schedule_bench.h"

#include <gtest/gtest.h>

namespace holdfast::backupschedule {
namespace {

namespace kinds = kube::kinds;

constexpr int kMostRounds = 20;
constexpr char kNamespace[] = "prod";
constexpr char kCluster[] = "demo";

Json WithSchedules(const Json& schedules) {
  Json spec;
  spec["backups"]["schedules"] = schedules;
  return spec;
}

}  // namespace

Json Hourly(const Json& more) {
  Json schedule = {{"name", "hourly"}, {"store", "main"}, {"schedule", "0 * * * *"}, {"deadline", "1000d"}};
  schedule.update(more);
  return schedule;
}

ScheduleBench::ScheduleBench(const Json& schedules)
    : run(WithSchedules(schedules)),
      clusters_(run.NewestCopies(kinds::kStorageCluster)),
      backups_(run.NewestCopies(kinds::kStorageBackup)) {
  run.cluster.client().on_write = [this](const std::string&, const std::string&) { Observe(); };
  RestartOperator();
  // Not just before a tick, whenever the test runs.
  run.clock.JumpTo(std::chrono::floor<std::chrono::hours>(run.clock.Now()) + std::chrono::minutes{30});
}

std::unique_ptr<ScheduleReconciler> ScheduleBench::MakeReconciler(kube::Client& client) {
  return std::make_unique<ScheduleReconciler>(
      client, run.recorder(),
      [this](const std::string&) {
        return ScheduleReconciler::Copies{.clusters = clusters_.get(), .backups = backups_.get()};
      },
      ScheduleOptions{}, run.clock);
}

void ScheduleBench::SetSchedules(const Json& schedules) {
  run.cluster.PatchSpec(kCluster, WithSchedules(schedules));
}

void ScheduleBench::ToNextHour(int more) {
  run.clock.JumpTo(std::chrono::floor<std::chrono::hours>(run.clock.Now()) + std::chrono::hours{1 + more});
}

void ScheduleBench::Look() {
  const auto looked = reconciler_->Reconcile({kNamespace, kCluster}, {});
  Observe();
  if (!looked.ok()) run.complaints.push_back(looked.error().message());
}

bool ScheduleBench::Settle() {
  for (int round = 0; round < kMostRounds; ++round) {
    const std::uint64_t before = run.cluster.revision();
    Look();
    if (!run.UntilOver()) return false;
    if (run.cluster.revision() == before) return true;
  }
  return false;
}

void ScheduleBench::RestartOperator() {
  run.RestartOperator();
  WriteThrough(run.cluster.client());
}

void ScheduleBench::WriteThrough(kube::Client& client) {
  reconciler_ = MakeReconciler(client);
}

void ScheduleBench::LookAsAnother() {
  const auto looked = MakeReconciler(run.cluster.user())->Reconcile({kNamespace, kCluster}, {});
  Observe();
  if (!looked.ok()) run.complaints.push_back(looked.error().message());
}

Json ScheduleBench::StatusOf(const std::string& schedule) {
  for (const Json& each : run.cluster.Cluster(kCluster).at("status").value("backupSchedules", Json::array())) {
    if (each.at("name") == schedule) return each;
  }
  return Json::object();
}

std::vector<Json> ScheduleBench::Backups() {
  std::vector<Json> found;
  for (const kube::ObjectPtr& each : backups_->List(kNamespace)) found.push_back(*each);
  return found;
}

void ScheduleBench::Observe() {
  for (const Json& each : Backups()) {
    const Json tick = each.at("metadata").value("annotations", Json::object()).value(api::kScheduledAtAnnotation, "");
    ever_[{kube::LabelOf(each, api::kBackupScheduleLabel), tick.get<std::string>()}].insert(kube::UidOf(each));
  }
}

}  // namespace holdfast::backupschedule
