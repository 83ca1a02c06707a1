#include "tests/unit/operator/storagemigration/migration_bench.h"

#include <gtest/gtest.h>

#include <utility>

#include "base/config/yaml.h"
#include "operator/api/v1/crd.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/controllers/storagemigration/finalizer.h"
#include "operator/kube/finalizers.h"
#include "operator/resources/names.h"

namespace holdfast::storagemigration {
namespace {

namespace kinds = kube::kinds;

constexpr int kMostRounds = 80;
constexpr char kNamespace[] = "prod";

Deadline Soon() {
  return Deadline::After(std::chrono::seconds(10));
}

Json FindCondition(const Json& object, const std::string& type) {
  if (object.is_null()) return nullptr;
  for (const Json& each : object.value("/status/conditions"_json_pointer, Json::array())) {
    if (each.at("type") == type) return each;
  }
  return nullptr;
}

}  // namespace

Result<Report> PlayedService::Ask(const Endpoint& service, const std::string&, Deadline) {
  token = service.token;
  if (!answers) return Error(ErrorCode::kUnavailable, "nobody answers");
  if (!may_move()) return Error(ErrorCode::kUnavailable, "this store moves nowhere: name a backend in migrate_to");
  const Report report{.phase = phase,
                      .pending = false,
                      .id = id,
                      .total = 100,
                      .copied = phase == "dual_write" ? 40 : 100,
                      .compared = phase == "dual_write" ? 0 : 100,
                      .differences = differences,
                      .instances = instances};
  if (goes_on && phase == "dual_write") {
    phase = "verifying";
  } else if (goes_on && phase == "verifying") {
    phase = "verified";
  } else if (phase == "aborting") {
    phase = "idle";
  }
  return report;
}

Status PlayedService::Tell(const Endpoint&, const std::string&, const std::string& action, Deadline) {
  const bool crashes = crash_at != 0 && --crash_at == 0;
  if (crashes && !crash_after) throw storagecluster::Crash();
  told.push_back(action);
  if (!refuses.ok()) return refuses;
  const auto in = [&](const char* a, const char* b = "", const char* c = "", const char* d = "") {
    return phase == a || phase == b || phase == c || phase == d;
  };
  Status done(Error(ErrorCode::kFailedPrecondition, "the migration is " + phase));
  if (action == "start" && in("idle")) {
    id = "m" + std::to_string(++starts);
    phase = "dual_write";
    done = {};
  } else if (action == "switch_reads" && in("verified")) {
    phase = "reads_switched";
    done = {};
  } else if (action == "cut_over" && in("reads_switched")) {
    phase = "cut_over";
    done = {};
  } else if (action == "abort" && in("dual_write", "verifying", "verified", "reads_switched")) {
    phase = "aborting";
    done = {};
  }
  if (crashes) throw storagecluster::Crash();
  return done;
}

class MigrationBench::Recorder : public kube::EventRecorder {
 public:
  explicit Recorder(std::vector<std::string>& events) : events_(events) {}
  void Record(const Json&, kube::EventType, std::string_view reason, std::string_view) override {
    events_.emplace_back(reason);
  }

 private:
  std::vector<std::string>& events_;
};

// Always the newest.
class MigrationBench::Shown : public kube::Lister {
 public:
  explicit Shown(kube::Client& user) : user_(user) {}
  kube::ObjectPtr Get(const kube::ObjectKey& key) const override {
    auto object = user_.Get(kinds::kStorageMigration, key, Soon());
    return object.ok() ? std::make_shared<const Json>(std::move(object).value()) : nullptr;
  }
  std::vector<kube::ObjectPtr> List(const std::string&) const override { return {}; }

 private:
  kube::Client& user_;
};

Json TwoBackends() {
  Json spec = storagecluster::EmbeddedSpec();
  Json backend = spec["backends"][0];
  spec["backends"] = Json::array();
  for (const char* name : {"old", "new"}) {
    backend["name"] = name;
    spec["backends"].push_back(backend);
  }
  spec["stores"][0]["backend"] = "old";
  return spec;
}

MigrationBench::MigrationBench()
    : recorder_(std::make_unique<Recorder>(events)), copies_(std::make_unique<Shown>(cluster.user())) {
  EXPECT_TRUE(cluster.user().Create(kinds::kCustomResourceDefinition, api::StorageMigrationDefinition(), Soon()).ok());
  service.may_move = [this] { return Rendered().find("->") != std::string::npos; };
  cluster.CreateCluster("demo", TwoBackends());
  EXPECT_TRUE(cluster.Converge("demo"));
  RestartOperator();
}

void MigrationBench::RestartOperator() {
  cluster.RestartOperator();
  reconciler_ = std::make_unique<MigrationReconciler>(
      cluster.client(), *recorder_, [this](const std::string&) -> const kube::Lister& { return *copies_; }, service,
      MigrationOptions{.tidying = std::chrono::milliseconds{0}}, clock);
}

void MigrationBench::CreateMigration(const Json& more, const std::string& name) {
  Json spec = {{"cluster", "demo"}, {"store", "main"}, {"to", "new"}};
  spec.update(more);
  const auto made = cluster.user().Create(kinds::kStorageMigration,
                                          {{"apiVersion", api::kApiVersion},
                                           {"kind", api::kStorageMigrationKind},
                                           {"metadata", {{"name", name}, {"namespace", kNamespace}}},
                                           {"spec", spec}},
                                          Soon());
  ASSERT_TRUE(made.ok()) << made.error().message();
}

void MigrationBench::PatchMigration(const Json& spec) {
  EXPECT_TRUE(cluster.user().MergePatch(kinds::kStorageMigration, {kNamespace, "move"}, {{"spec", spec}}, Soon()).ok());
}

void MigrationBench::Annotate(const Json& annotations) {
  EXPECT_TRUE(cluster.user()
                  .MergePatch(kinds::kStorageMigration, {kNamespace, "move"},
                              {{"metadata", {{"annotations", annotations}}}}, Soon())
                  .ok());
}

void MigrationBench::DeleteMigration(const std::string& name) {
  const Json object = Migration(name);
  EXPECT_TRUE(cluster.user()
                  .Delete(kinds::kStorageMigration, {kNamespace, name},
                          {.uid = kube::UidOf(object), .resource_version = kube::ResourceVersionOf(object)}, Soon())
                  .ok());
}

Json MigrationBench::Migration(const std::string& name) {
  return cluster.Get(kinds::kStorageMigration, name);
}

std::string MigrationBench::ConditionOf(const std::string& type, const std::string& name) {
  const Json condition = FindCondition(Migration(name), type);
  if (condition.is_null()) return "";
  return condition.at("status").get<std::string>() + " " + condition.at("reason").get<std::string>();
}

std::string MigrationBench::MessageOf(const std::string& type, const std::string& name) {
  const Json condition = FindCondition(Migration(name), type);
  return condition.is_null() ? "" : condition.at("message").get<std::string>();
}

std::string MigrationBench::Rendered() {
  const Json map = cluster.Get(kinds::kConfigMap, "demo-config");
  if (map.is_null()) return "";
  const auto documents =
      config::ParseYamlDocuments(map.at("data").at(resources::kConfigFile).get<std::string>(), "configuration");
  const Json& store = documents->front().at("stores").at("main");
  std::string text = store.at("backend");
  if (store.contains("migrate_to")) text += " -> " + store.at("migrate_to").get<std::string>();
  return text;
}

void MigrationBench::CheckPlace() {
  const std::string rendered = Rendered();
  if (rendered.empty()) return;  // the cluster goes
  const bool cut = service.phase == "cut_over";
  if (cut && rendered != "new" && rendered != "old -> new") {
    complaints.push_back("cut over, and the configuration says " + rendered);
  }
  const bool both = service.phase != "idle" && !cut;
  if (both && rendered != "old -> new")
    complaints.push_back(service.phase + ", and the configuration says " + rendered);
  if (service.phase == "idle" && rendered == "new") complaints.push_back("nothing was moved, and it says new");
}

void MigrationBench::PlayPods() {
  const Json set = cluster.Get(kinds::kStatefulSet, "demo");
  if (set.is_null()) return;
  const Json annotations = set.value("/spec/template/metadata/annotations"_json_pointer, Json::object());
  Json pod = cluster.Get(kinds::kPod, "demo-0");
  if (pod.is_null()) return;
  const Json present = pod.at("metadata").value("annotations", Json::object());
  if (present != annotations && !present.empty()) {
    EXPECT_TRUE(cluster.user()
                    .Delete(kinds::kPod, {kNamespace, "demo-0"},
                            {.uid = kube::UidOf(pod), .resource_version = kube::ResourceVersionOf(pod)}, Soon())
                    .ok());
    return;
  }
  if (present.empty()) {
    EXPECT_TRUE(
        cluster.user()
            .MergePatch(kinds::kPod, {kNamespace, "demo-0"}, {{"metadata", {{"annotations", annotations}}}}, Soon())
            .ok());
    pod = cluster.Get(kinds::kPod, "demo-0");
  }
  pod["status"]["podIP"] = "10.0.0.1";
  pod["status"]["conditions"] = Json::array({{{"type", "Ready"}, {"status", "True"}}});
  EXPECT_TRUE(cluster.user().UpdateStatus(kinds::kPod, pod, Soon()).ok());
}

void MigrationBench::Round(const std::string& name) {
  const auto looked = reconciler_->Reconcile({kNamespace, name}, {});
  // A conflict is tried again.
  if (!looked.ok() && looked.error().code() != ErrorCode::kVersionConflict)
    complaints.push_back(looked.error().message());
  CheckPlace();
  static_cast<void>(cluster.Reconcile("demo"));
  CheckPlace();
  cluster.PlayStatefulSets();
  PlayPods();
}

bool MigrationBench::Until(const std::function<bool()>& holds, const std::string& name) {
  for (int round = 0; round < kMostRounds; ++round) {
    if (holds()) return true;
    Round(name);
  }
  return holds();
}

bool MigrationBench::UntilReason(const std::string& reason, const std::string& name) {
  return Until([&] { return ConditionOf(kProgressingCondition, name).ends_with(" " + reason); }, name);
}

bool MigrationBench::UntilOver(const std::string& name) {
  return Until(
      [&] {
        const Json object = Migration(name);
        if (object.is_null()) return true;
        const auto parsed = api::ParseStorageMigration(object);
        return parsed.migration && IsOver(*parsed.migration, kube::HasFinalizer(object, kFinalizer));
      },
      name);
}

}  // namespace holdfast::storagemigration
