// A StorageCluster `demo` with the store `main` and a place for backups, StorageBackups and StorageRestores of it
// before an in-memory API server, and a service that is played: what lies where backups are, and the runs of one
// process, which forgets them with its end. Everything is moved by hand.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/controllers/storagebackup/backup_reconciler.h"
#include "operator/controllers/storagebackup/restore_reconciler.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagebackup {

using kube::Json;

class PlayedService : public ServiceClient {
 public:
  Result<Item> FindItem(const Endpoint& service, const BackupsOf& backups, const std::string& id,
                        Deadline deadline) override;
  Result<Run> FindRun(const Endpoint& service, const std::string& store, const std::string& run,
                      Deadline deadline) override;
  Result<Run> Ask(const Endpoint& service, const BackupsOf& backups, Wish wish, const std::string& id,
                  Deadline deadline) override;
  Result<Restorable> FindRestorable(const Endpoint& service, const BackupsOf& backups, Deadline deadline) override;
  Result<Run> RestoreTo(const Endpoint& service, const BackupsOf& backups, Timestamp to, Deadline deadline) override;
  // The process ends: what it was at is left unfinished, and it knows no run.
  void Restart();

  bool answers = true;
  bool loses_answers = false;  // does what it is asked, and nobody hears of it
  bool works = true;           // runs come to their end at the second look
  Status refuses;              // to do what it is asked
  std::string fails;           // code with which runs fail from now on
  bool verifies = true;        // behind each backup that it makes
  std::string drills_fail;     // code
  std::string token;           // that it was shown last

  Restorable restorable;              // of other times it refuses a restore
  std::map<std::string, Item> items;  // whole backups
  // Of a store of another cluster, by its name; those that nobody has asked for are no backups here.
  std::map<std::string, std::map<std::string, Item>> source_items;
  std::vector<std::string> unfinished;  // ids of what was cut off
  std::map<std::string, int> made;      // how often a backup of that id was written
  int restores = 0;                     // that were begun
  std::vector<std::string> told;        // "full nightly-…", "restore one of their-store"
  // "Kills" the operator at the n-th thing it is asked, before or after it is done; 0 = never.
  int crash_at = 0;
  bool crash_after = false;

 private:
  struct Known {
    Run run;
    Wish wish = Wish::kFull;
    std::string item;
    int looks = 0;
  };
  void End(Known* known);
  Result<Run> Begin(Wish wish, const std::string& id, const std::string& what);
  std::map<std::string, Known> runs_;
  int next_run_ = 1;
};

class RunBench {
 public:
  explicit RunBench(const Json& more_of_cluster = Json::object());

  void CreateBackup(const Json& more = Json::object(), const std::string& name = "nightly");
  void CreateRestore(const Json& more, const std::string& name = "back");
  Json Backup(const std::string& name = "nightly");
  Json Restore(const std::string& name = "back");
  std::string BackupPhase(const std::string& name = "nightly");
  std::string RestorePhase(const std::string& name = "back");
  // "True Succeeded"
  std::string ConditionOf(const Json& object, const std::string& type);
  std::string MessageOf(const Json& object);

  // One look at every object. A Crash comes through.
  void Round();
  bool Until(const std::function<bool()>& holds);
  bool UntilOver();
  void RestartOperator();
  // Of every object of the kind, always the newest.
  std::unique_ptr<kube::Lister> NewestCopies(const kube::ResourceKind& kind);
  kube::EventRecorder& recorder() { return *recorder_; }
  void AddPod(const std::string& name, const std::string& address);
  void RemovePod(const std::string& name);

  storagecluster::ClusterBench cluster;
  PlayedService service;
  ManualClock clock{SystemClock().Now()};
  std::vector<std::string> events;
  std::vector<std::string> complaints;

 private:
  class Recorder;
  class Shown;
  Surroundings Around(const kube::ResourceKind& kind);
  void Create(const kube::ResourceKind& kind, const std::string& name, const Json& spec);

  std::unique_ptr<kube::EventRecorder> recorder_;
  std::map<std::string, std::unique_ptr<kube::Lister>> copies_;
  std::unique_ptr<BackupReconciler> backups_;
  std::unique_ptr<RestoreReconciler> restores_;
};

}  // namespace holdfast::storagebackup
