// A StorageCluster `demo` with the store `main` in backend `old`, a backend `new` beside it, and a StorageMigration
// `move`, before an in-memory API server; the cluster's own operator renders the configuration, and a service is
// played that goes by it. Everything is moved by hand.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/controllers/storagemigration/reconciler.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagemigration {

using kube::Json;

// The state service as far as a migration goes: what a source and a target would remember, whatever pods come and go.
class PlayedService : public ServiceClient {
 public:
  Result<Report> Ask(const Endpoint& service, const std::string& store, Deadline deadline) override;
  Status Tell(const Endpoint& service, const std::string& store, const std::string& action, Deadline deadline) override;

  std::string phase = "idle";
  std::string id;
  std::int64_t differences = 0;
  int instances = 1;
  bool answers = true;
  bool goes_on = true;  // from copying to comparing, and on
  Status refuses;       // to do what it is told
  int starts = 0;
  std::vector<std::string> told;
  std::string token;               // that it was shown last
  std::function<bool()> may_move;  // whether the configuration of the pods names a target
  // "Kills" the operator at the n-th thing it is told, before or after it is done; 0 = never.
  int crash_at = 0;
  bool crash_after = false;
};

class MigrationBench {
 public:
  MigrationBench();

  void CreateMigration(const Json& more = Json::object(), const std::string& name = "move");
  void PatchMigration(const Json& spec);
  void Annotate(const Json& annotations);
  void DeleteMigration(const std::string& name = "move");
  Json Migration(const std::string& name = "move");
  // "True CutOver"
  std::string ConditionOf(const std::string& type, const std::string& name = "move");
  std::string MessageOf(const std::string& type, const std::string& name = "move");
  // Of the configuration of the store: "old", "old -> new".
  std::string Rendered();
  // The place of the entries, which the configuration must never miss; complaints of every round.
  std::vector<std::string> complaints;

  // One look of the migration's operator, one of the cluster's, then the pods follow. A Crash comes through.
  void Round(const std::string& name = "move");
  // Rounds until `holds`; false when it never does.
  bool Until(const std::function<bool()>& holds, const std::string& name = "move");
  bool UntilReason(const std::string& reason, const std::string& name = "move");
  bool UntilOver(const std::string& name = "move");
  void RestartOperator();

  storagecluster::ClusterBench cluster;
  PlayedService service;
  ManualClock clock{SystemClock().Now()};
  std::vector<std::string> events;

 private:
  class Recorder;
  class Shown;
  void PlayPods();
  void CheckPlace();

  std::unique_ptr<kube::EventRecorder> recorder_;
  std::unique_ptr<kube::Lister> copies_;
  std::unique_ptr<MigrationReconciler> reconciler_;
};

// Two embedded backends; the store `main` is in `old`.
Json TwoBackends();

}  // namespace holdfast::storagemigration
