#include "tests/unit/operator/storagebackup/run_bench.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "base/time/duration.h"
#include "operator/api/v1/crd.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/resources/names.h"

namespace holdfast::storagebackup {
namespace {

namespace kinds = kube::kinds;

constexpr int kMostRounds = 40;
constexpr char kNamespace[] = "prod";
constexpr char kAlreadyExists[] = "already_exists";

Deadline Soon() {
  return Deadline::After(std::chrono::seconds(10));
}

const char* NameOf(Wish wish) {
  switch (wish) {
    case Wish::kFull:
      return "create";
    case Wish::kIncremental:
      return "incremental";
    case Wish::kVerify:
      return "verify";
    case Wish::kDrill:
      return "drill";
    case Wish::kRestore:
      break;
  }
  return "restore";
}

std::string ShownOf(const BackupsOf& backups) {
  return backups.source.empty() ? "" : " of " + backups.source;
}

Json StatusOf(const Json& object) {
  return object.is_null() ? Json::object() : object.value("status", Json::object());
}

}  // namespace

Result<Item> PlayedService::FindItem(const Endpoint& service, const BackupsOf& backups, const std::string& id,
                                     Deadline) {
  token = service.token;
  if (!answers) return Error(ErrorCode::kUnavailable, "nobody answers");
  const auto& there = backups.source.empty() ? items : source_items[backups.source];
  const auto found = there.find(id);
  if (found == there.end()) return Error(ErrorCode::kNotFound, "there is none");
  return found->second;
}

void PlayedService::End(Known* known) {
  Run& run = known->run;
  const bool creates = known->wish == Wish::kFull || known->wish == Wish::kIncremental;
  const bool taken =
      items.contains(known->item) || std::find(unfinished.begin(), unfinished.end(), known->item) != unfinished.end();
  run.state = "failed";
  run.problem = fails;
  run.detail = fails;
  if (creates && taken) run.problem = run.detail = kAlreadyExists;
  if (!run.problem.empty()) return;
  run.state = "succeeded";
  if (creates) {
    ++made[known->item];
    Item item{.id = known->item, .entries = 12, .bytes = 345};
    item.verified = verifies;
    if (known->wish == Wish::kIncremental) item.parent = "before";
    items[known->item] = item;
  } else if (known->wish == Wish::kVerify) {
    items.at(known->item).verified = true;
  } else if (known->wish == Wish::kDrill) {
    items.at(known->item).drill = Drill{.succeeded = drills_fail.empty(), .code = drills_fail, .at = {}};
  } else {
    run.restored = 12;
    run.undo = "undo-1";
  }
}

Result<Run> PlayedService::FindRun(const Endpoint&, const std::string&, const std::string& run, Deadline) {
  if (!answers) return Error(ErrorCode::kUnavailable, "nobody answers");
  const auto found = runs_.find(run);
  if (found == runs_.end()) return Error(ErrorCode::kNotFound, "there is no such run");
  Known& known = found->second;
  if (works && known.run.active()) {
    known.run.state = "running";
    if (++known.looks > 1) End(&known);
  }
  return known.run;
}

Result<Restorable> PlayedService::FindRestorable(const Endpoint&, const BackupsOf&, Deadline) {
  if (!answers) return Error(ErrorCode::kUnavailable, "nobody answers");
  return restorable;
}

Result<Run> PlayedService::RestoreTo(const Endpoint&, const BackupsOf& backups, Timestamp to, Deadline) {
  const bool there = restorable.any && to >= restorable.earliest && to <= restorable.latest;
  if (answers && !there) return Error(ErrorCode::kFailedPrecondition, "that time cannot be had");
  return Begin(Wish::kRestore, "base-1", FormatTimestamp(to) + ShownOf(backups));
}

Result<Run> PlayedService::Ask(const Endpoint&, const BackupsOf& backups, Wish wish, const std::string& id, Deadline) {
  return Begin(wish, id, id + ShownOf(backups));
}

Result<Run> PlayedService::Begin(Wish wish, const std::string& id, const std::string& what) {
  const bool crashes = crash_at != 0 && --crash_at == 0;
  if (crashes && !crash_after) throw storagecluster::Crash();
  if (!answers) return Error(ErrorCode::kUnavailable, "nobody answers");
  if (!refuses.ok()) return refuses.error();
  told.push_back(std::string(NameOf(wish)) + " " + what);
  if (wish == Wish::kRestore) ++restores;
  Known known{
      .run = {.id = "run-" + std::to_string(next_run_++), .action = NameOf(wish), .state = "waiting", .backup = id},
      .wish = wish,
      .item = id};
  const Run run = known.run;
  runs_[run.id] = std::move(known);
  if (crashes) throw storagecluster::Crash();
  if (loses_answers) {
    // Nobody will look at it, and it comes to its end all the same.
    End(&runs_.at(run.id));
    return Error(ErrorCode::kOutcomeUnknown, "the answer never came");
  }
  return run;
}

void PlayedService::Restart() {
  for (const auto& [id, known] : runs_) {
    const bool creates = known.wish == Wish::kFull || known.wish == Wish::kIncremental;
    if (creates && known.run.state == "running") unfinished.push_back(known.item);
  }
  runs_.clear();
}

class RunBench::Recorder : public kube::EventRecorder {
 public:
  explicit Recorder(std::vector<std::string>& events) : events_(events) {}
  void Record(const Json&, kube::EventType, std::string_view reason, std::string_view) override {
    events_.emplace_back(reason);
  }

 private:
  std::vector<std::string>& events_;
};

// Always the newest.
class RunBench::Shown : public kube::Lister {
 public:
  Shown(kube::Client& user, const kube::ResourceKind& kind) : user_(user), kind_(kind) {}
  kube::ObjectPtr Get(const kube::ObjectKey& key) const override {
    auto object = user_.Get(kind_, key, Soon());
    return object.ok() ? std::make_shared<const Json>(std::move(object).value()) : nullptr;
  }
  std::vector<kube::ObjectPtr> List(const std::string& ns) const override {
    std::vector<kube::ObjectPtr> found;
    auto list = user_.List(kind_, ns, {}, Soon());
    EXPECT_TRUE(list.ok());
    for (Json& object : list->items) found.push_back(std::make_shared<const Json>(std::move(object)));
    return found;
  }

 private:
  kube::Client& user_;
  const kube::ResourceKind kind_;
};

RunBench::RunBench(const Json& more_of_cluster) : recorder_(std::make_unique<Recorder>(events)) {
  for (const Json& definition : {api::StorageBackupDefinition(), api::StorageRestoreDefinition()}) {
    EXPECT_TRUE(cluster.user().Create(kinds::kCustomResourceDefinition, definition, Soon()).ok());
  }
  Json spec = storagecluster::EmbeddedSpec();
  spec["backups"] = {{"claimName", "backups"}};
  spec.merge_patch(more_of_cluster);
  cluster.CreateCluster("demo", spec);
  EXPECT_TRUE(cluster.Converge("demo"));
  AddPod("demo-0", "10.0.0.1");
  for (const kube::ResourceKind& kind : {kinds::kStorageBackup, kinds::kStorageRestore}) {
    copies_[kind.kind] = NewestCopies(kind);
  }
  RestartOperator();
}

std::unique_ptr<kube::Lister> RunBench::NewestCopies(const kube::ResourceKind& kind) {
  return std::make_unique<Shown>(cluster.user(), kind);
}

Surroundings RunBench::Around(const kube::ResourceKind& kind) {
  kube::Lister* copies = copies_.at(kind.kind).get();
  return {.client = cluster.client(),
          .events = *recorder_,
          .copies_of = [copies](const std::string&) -> const kube::Lister& { return *copies; },
          .service = service,
          .clock = clock};
}

void RunBench::RestartOperator() {
  cluster.RestartOperator();
  backups_ = std::make_unique<BackupReconciler>(Around(kinds::kStorageBackup), RunOptions{});
  restores_ = std::make_unique<RestoreReconciler>(Around(kinds::kStorageRestore), RunOptions{});
}

void RunBench::AddPod(const std::string& name, const std::string& address) {
  Json pod = cluster.Get(kinds::kPod, name);
  if (pod.is_null()) {
    Json labels;
    for (const auto& [label, value] : resources::PodSelector("demo").items()) labels[label] = value;
    auto made = cluster.user().Create(kinds::kPod,
                                      {{"apiVersion", "v1"},
                                       {"kind", "Pod"},
                                       {"metadata", {{"name", name}, {"namespace", kNamespace}, {"labels", labels}}},
                                       {"spec", Json::object()}},
                                      Soon());
    ASSERT_TRUE(made.ok()) << made.error().message();
    pod = *made;
  }
  pod["status"]["podIP"] = address;
  pod["status"]["conditions"] = Json::array({{{"type", "Ready"}, {"status", "True"}}});
  ASSERT_TRUE(cluster.user().UpdateStatus(kinds::kPod, pod, Soon()).ok());
}

void RunBench::RemovePod(const std::string& name) {
  const Json pod = cluster.Get(kinds::kPod, name);
  ASSERT_TRUE(cluster.user()
                  .Delete(kinds::kPod, {kNamespace, name},
                          {.uid = kube::UidOf(pod), .resource_version = kube::ResourceVersionOf(pod)}, Soon())
                  .ok());
}

void RunBench::Create(const kube::ResourceKind& kind, const std::string& name, const Json& spec) {
  const auto made = cluster.user().Create(kind,
                                          {{"apiVersion", api::kApiVersion},
                                           {"kind", kind.kind},
                                           {"metadata", {{"name", name}, {"namespace", kNamespace}}},
                                           {"spec", spec}},
                                          Soon());
  ASSERT_TRUE(made.ok()) << made.error().message();
}

void RunBench::CreateBackup(const Json& more, const std::string& name) {
  Json spec = {{"cluster", "demo"}, {"store", "main"}};
  spec.update(more);
  Create(kinds::kStorageBackup, name, spec);
}

void RunBench::CreateRestore(const Json& more, const std::string& name) {
  Json spec = {{"cluster", "demo"}, {"store", "main"}};
  spec.update(more);
  Create(kinds::kStorageRestore, name, spec);
}

Json RunBench::Backup(const std::string& name) {
  return cluster.Get(kinds::kStorageBackup, name);
}

Json RunBench::Restore(const std::string& name) {
  return cluster.Get(kinds::kStorageRestore, name);
}

std::string RunBench::BackupPhase(const std::string& name) {
  return StatusOf(Backup(name)).value("phase", "");
}

std::string RunBench::RestorePhase(const std::string& name) {
  return StatusOf(Restore(name)).value("phase", "");
}

std::string RunBench::ConditionOf(const Json& object, const std::string& type) {
  for (const Json& each : StatusOf(object).value("conditions", Json::array())) {
    if (each.at("type") == type)
      return each.at("status").get<std::string>() + " " + each.at("reason").get<std::string>();
  }
  return "";
}

std::string RunBench::MessageOf(const Json& object) {
  return StatusOf(object).value("message", "");
}

void RunBench::Round() {
  const auto look = [&](const kube::ResourceKind& kind, runtime::Reconciler& reconciler) {
    for (const kube::ObjectPtr& object : copies_.at(kind.kind)->List(kNamespace)) {
      const auto looked = reconciler.Reconcile(kube::KeyOf(*object), {});
      // A conflict is tried again.
      if (!looked.ok() && looked.error().code() != ErrorCode::kVersionConflict) {
        complaints.push_back(looked.error().message());
      }
    }
  };
  look(kinds::kStorageBackup, *backups_);
  look(kinds::kStorageRestore, *restores_);
}

bool RunBench::Until(const std::function<bool()>& holds) {
  for (int round = 0; round < kMostRounds; ++round) {
    if (holds()) return true;
    Round();
  }
  return holds();
}

bool RunBench::UntilOver() {
  return Until([&] {
    for (const auto& [kind, copies] : copies_) {
      for (const kube::ObjectPtr& object : copies->List(kNamespace)) {
        const std::string phase = StatusOf(*object).value("phase", "");
        if (phase != api::kPhaseSucceeded && phase != api::kPhaseFailed) return false;
      }
    }
    return true;
  });
}

}  // namespace holdfast::storagebackup
