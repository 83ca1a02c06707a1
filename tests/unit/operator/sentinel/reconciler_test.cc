#include "operator/sentinel/reconciler.h"

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/api/v1/crd.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/base64.h"
#include "operator/local/api_server/api_server.h"
#include "tests/unit/operator/controllers/in_process_client.h"

namespace holdfast::sentinel {
namespace {

using kube::Json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kCluster[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters/demo";

class FakeSentinels : public SentinelClient {
 public:
  Result<Report> Ask(const Endpoint& sentinel, const std::string& master_name, Deadline) override {
    EXPECT_EQ(master_name, "main");
    EXPECT_EQ(sentinel.user, "keeper");
    EXPECT_EQ(sentinel.authority, "authority");
    const auto found = reports.find(sentinel.name);
    if (found == reports.end() || sentinel.password != password) return Error(ErrorCode::kUnavailable, "no answer");
    return found->second;
  }
  std::map<std::string, Report> reports;  // by name; absent: no answer
  std::string password = "word";
};

class Events : public kube::EventRecorder {
 public:
  void Record(const Json&, kube::EventType, std::string_view reason, std::string_view) override {
    reasons.emplace_back(reason);
  }
  std::vector<std::string> reasons;
};

// What the test last showed to the operator.
class Shown : public kube::Lister {
 public:
  kube::ObjectPtr Get(const kube::ObjectKey& key) const override {
    const auto found = objects.find(key);
    return found == objects.end() ? nullptr : found->second;
  }
  std::vector<kube::ObjectPtr> List(const std::string&) const override { return {}; }
  std::map<kube::ObjectKey, kube::ObjectPtr> objects;
};

class SentinelReconcilerTest : public ::testing::Test {
 protected:
  SentinelReconcilerTest() : client_(api_), reconciler_(client_, events_, Copies(), sentinels_, {}, registry_, clock_) {
    const Json definition = api::StorageClusterDefinition();
    EXPECT_TRUE(api_.Call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).ok());
    const auto made = api_.Call(
        "POST", "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters",
        {{"apiVersion", "storage.holdfast.dev/v1"},
         {"kind", "StorageCluster"},
         {"metadata", {{"name", "demo"}}},
         {"spec",
          {{"backends",
            Json::array({{{"name", "cache"}, {"redis", {{"mode", "Sentinel"}, {"storage", {{"size", "1Gi"}}}}}}})},
           {"stores", Json::array({{{"name", "main"}, {"backend", "cache"}}})}}}});
    EXPECT_TRUE(made.ok()) << made.body;
    PutSecret("demo-cache-credentials", "keeper-password", "word");
    PutSecret("demo-cache-tls", "ca.crt", "authority");
    for (int i = 0; i < 3; ++i) {
      ShowPod(&servers_, "demo-cache-" + std::to_string(i), true);
      ShowPod(&sentinel_pods_, "demo-cache-sentinel-" + std::to_string(i), true);
    }
    AllName("demo-cache-0", 1);
  }

  std::function<SentinelReconciler::Copies(const std::string&)> Copies() {
    return [this](const std::string&) { return SentinelReconciler::Copies{&clusters_, &servers_, &sentinel_pods_}; };
  }
  void PutSecret(const std::string& name, const std::string& file, const std::string& text) {
    const std::string path = "/api/v1/namespaces/default/secrets";
    api_.Call("DELETE", path + "/" + name);
    EXPECT_TRUE(
        api_.Call("POST", path, {{"metadata", {{"name", name}}}, {"data", {{file, kube::Base64Encode(text)}}}}).ok());
  }
  static void ShowPod(Shown* shown, const std::string& name, bool ready) {
    const Json conditions = Json::array({{{"type", "Ready"}, {"status", ready ? "True" : "False"}}});
    shown->objects[{"default", name}] =
        std::make_shared<const Json>(Json{{"metadata", {{"name", name}, {"namespace", "default"}}},
                                          {"status", {{"podIP", "10.0.0.1"}, {"conditions", conditions}}}});
  }
  void AllName(const std::string& master, std::int64_t epoch, bool down = false, bool failover = false) {
    Report report{
        .master = master + ".default.svc", .epoch = epoch, .down = down, .failover = failover, .replicas = {}};
    for (const char* pod : {"demo-cache-0", "demo-cache-1", "demo-cache-2"}) {
      if (pod != master) report.replicas.push_back({std::string(pod) + ".default.svc", true});
    }
    for (int i = 0; i < 3; ++i) {
      sentinels_.reports["demo-cache-sentinel-" + std::to_string(i) + ".default.svc"] = report;
    }
  }
  Json Cluster() { return api_.Call("GET", kCluster).body; }
  // The status of the backend.
  Json Look() {
    clusters_.objects[{"default", "demo"}] = std::make_shared<const Json>(Cluster());
    const auto outcome = reconciler_.Reconcile({"default", "demo/cache"}, {});
    EXPECT_TRUE(outcome.ok()) << outcome.error().message();
    EXPECT_TRUE(outcome.ok() && outcome->requeue_after.has_value());
    return Cluster().value("/status/redis/0"_json_pointer, Json::object());
  }
  std::string Version() { return kube::ResourceVersionOf(Cluster()); }

  local::ApiServer api_;
  storagecluster::InProcessClient client_;
  Events events_;
  FakeSentinels sentinels_;
  Shown clusters_;
  Shown servers_;
  Shown sentinel_pods_;
  metrics::Registry registry_;
  ManualClock clock_;
  SentinelReconciler reconciler_;
};

TEST_F(SentinelReconcilerTest, SaysWhoIsTheMasterAndWritesNothingAtRest) {
  const Json status = Look();
  EXPECT_EQ(status.value("state", ""), "Serving");
  EXPECT_EQ(status.value("master", ""), "demo-cache-0");
  EXPECT_EQ(status.value("replicasInStep", 0), 2);
  EXPECT_EQ(status.at("members").size(), 3u);
  EXPECT_THAT(events_.reasons, IsEmpty());
  const std::string version = Version();
  for (int i = 0; i < 10; ++i) Look();
  EXPECT_EQ(Version(), version);
}

TEST_F(SentinelReconcilerTest, AFailoverIsToldFromItsBeginningToItsEnd) {
  Look();
  AllName("demo-cache-0", 1, true);
  EXPECT_EQ(Look().value("state", ""), "NoMaster");
  AllName("demo-cache-0", 1, true, true);
  EXPECT_EQ(Look().value("state", ""), "FailingOver");
  AllName("demo-cache-1", 2);
  EXPECT_EQ(Look().value("master", ""), "demo-cache-1");
  EXPECT_THAT(events_.reasons, ElementsAre("NoMaster", "FailoverStarted", "MasterChanged"));
}

TEST_F(SentinelReconcilerTest, AMasterThatIsNotReadyDoesNotServe) {
  ShowPod(&servers_, "demo-cache-0", false);
  EXPECT_EQ(Look().value("state", ""), "NoMaster");
}

TEST_F(SentinelReconcilerTest, OfABackendThatDoesNotRunNothingIsSaid) {
  Look();
  const Json hibernate = {{"metadata", {{"annotations", {{api::kHibernateAnnotation, "true"}}}}}};
  ASSERT_TRUE(api_.Call("PATCH", kCluster, hibernate, "application/merge-patch+json").ok());
  clusters_.objects[{"default", "demo"}] = std::make_shared<const Json>(Cluster());
  const auto outcome = reconciler_.Reconcile({"default", "demo/cache"}, {});
  ASSERT_TRUE(outcome.ok());
  EXPECT_FALSE(outcome->requeue_after.has_value());
  EXPECT_FALSE(Cluster().at("status").contains("redis"));
}

TEST_F(SentinelReconcilerTest, SilenceIsToldWhenItLasts) {
  Look();
  const auto reports = sentinels_.reports;
  sentinels_.reports.clear();
  EXPECT_EQ(Look().value("state", ""), "Serving");
  EXPECT_EQ(Look().value("state", ""), "Serving");
  const Json status = Look();
  EXPECT_EQ(status.value("state", ""), "SentinelsSilent");
  EXPECT_EQ(status.value("master", ""), "demo-cache-0") << "who it was last";
  EXPECT_THAT(events_.reasons, ElementsAre("SentinelsSilent"));
  // They are back, and have another password.
  sentinels_.reports = reports;
  sentinels_.password = "other";
  PutSecret("demo-cache-credentials", "keeper-password", "other");
  for (int i = 0; i < 3; ++i) Look();
  EXPECT_EQ(Look().value("state", ""), "Serving");
}

}  // namespace
}  // namespace holdfast::sentinel
