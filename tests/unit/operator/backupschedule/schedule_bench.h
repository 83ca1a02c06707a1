// A StorageCluster with schedules of backups, whose StorageBackups are carried out as run_bench.h plays it. Everything
// is moved by hand, the clock too.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "operator/controllers/backupschedule/reconciler.h"
#include "tests/unit/operator/storagebackup/run_bench.h"

namespace holdfast::backupschedule {

using kube::Json;

// Of the store main, hourly, with a deadline beyond any test.
Json Hourly(const Json& more = Json::object());

class ScheduleBench {
 public:
  explicit ScheduleBench(const Json& schedules = Json::array({Hourly()}));

  void SetSchedules(const Json& schedules);
  // The clock to the full hour that comes next, and so many hours more.
  void ToNextHour(int more = 0);

  // One look at the cluster's schedules. A Crash comes through; conflicts are tried again at the next look.
  void Look();
  // Looks until nothing is written, and until every StorageBackup is over.
  bool Settle();
  void RestartOperator();
  // The operator writes through `client` from now on.
  void WriteThrough(kube::Client& client);
  // One look of a second operator.
  void LookAsAnother();

  Json StatusOf(const std::string& schedule = "hourly");
  // Of StorageBackups that are there, in the order of their names.
  std::vector<Json> Backups();
  // Of every tick: the uids of the StorageBackups that were ever there for it.
  const std::map<std::pair<std::string, std::string>, std::set<std::string>>& ever() const { return ever_; }

  storagebackup::RunBench run;

 private:
  void Observe();
  std::unique_ptr<ScheduleReconciler> MakeReconciler(kube::Client& client);

  std::map<std::pair<std::string, std::string>, std::set<std::string>> ever_;
  std::unique_ptr<kube::Lister> clusters_;
  std::unique_ptr<kube::Lister> backups_;
  std::unique_ptr<ScheduleReconciler> reconciler_;
};

}  // namespace holdfast::backupschedule
