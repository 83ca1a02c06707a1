#include "operator/shards/reconciler.h"

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/api/v1/crd.h"
#include "operator/kube/base64.h"
#include "operator/local/api_server/api_server.h"
#include "tests/unit/operator/controllers/in_process_client.h"
#include "tests/unit/operator/shards/shard_bench.h"

namespace holdfast::shards {
namespace {

using kube::Json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kClusters[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters";
constexpr char kCluster[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters/demo";

class BenchClient : public ShardClient {
 public:
  Result<Report> Ask(const Endpoint& server, Deadline) override {
    EXPECT_EQ(server.user, "keeper");
    EXPECT_EQ(server.authority, "authority");
    EXPECT_EQ(server.name, "demo-cache-" + std::to_string(server.ordinal) + ".demo-cache-pods.default.svc");
    for (const Report& report : bench.Say(true).reports) {
      if (report.ordinal == server.ordinal && server.password == password) return report;
    }
    return Error(ErrorCode::kUnavailable, "no answer");
  }
  Status Tell(const Endpoint& server, const std::vector<std::string>& words, Deadline) override {
    told.push_back(words.at(1));
    bench.Obey({server.ordinal, words});
    return {};
  }
  Status Move(const Endpoint& from, const std::string& from_id, const Endpoint& to, const std::string& to_id,
              const std::vector<int>& slots, const TransferLimits&) override {
    EXPECT_EQ(from_id, bench.IdOf(from.ordinal));
    EXPECT_EQ(to_id, bench.IdOf(to.ordinal));
    if (!moves) return Error(ErrorCode::kUnavailable, "no answer");
    bench.Move({from.ordinal, to.ordinal, slots});
    return {};
  }
  ShardBench bench{3, 1};
  bool moves = true;
  std::string password = "word";
  std::vector<std::string> told;
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

class ShardReconcilerTest : public ::testing::Test {
 protected:
  ShardReconcilerTest()
      : client_(api_),
        reconciler_(
            client_, events_,
            [this](const std::string&) {
              return ShardReconciler::Copies{&clusters_, &pods_};
            },
            servers_, {}, registry_, clock_) {
    EXPECT_TRUE(
        api_.Call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", api::StorageClusterDefinition())
            .ok());
    const Json backend = {{"name", "cache"}, {"redis", {{"mode", "Cluster"}, {"storage", {{"size", "1Gi"}}}}}};
    const Json store = {{"name", "main"}, {"backend", "cache"}};
    const auto made = api_.Call("POST", kClusters,
                                {{"apiVersion", "storage.holdfast.dev/v1"},
                                 {"kind", "StorageCluster"},
                                 {"metadata", {{"name", "demo"}}},
                                 {"spec", {{"backends", Json::array({backend})}, {"stores", Json::array({store})}}}});
    EXPECT_TRUE(made.ok()) << made.body;
    PutSecret("demo-cache-tls", {{"ca.crt", kube::Base64Encode("authority")}});
    Begun("no");
    ShowPods(6);
  }

  void ShowPods(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string name = "demo-cache-" + std::to_string(i);
      pods_.objects[{"default", name}] =
          std::make_shared<const Json>(Json{{"metadata", {{"name", name}, {"namespace", "default"}}},
                                            {"status", {{"podIP", "10.0.0." + std::to_string(i)}}}});
    }
  }

  void PutSecret(const std::string& name, const Json& data) {
    const std::string path = "/api/v1/namespaces/default/secrets";
    api_.Call("DELETE", path + "/" + name);
    EXPECT_TRUE(api_.Call("POST", path, {{"metadata", {{"name", name}}}, {"data", data}}).ok());
  }
  void Begun(const std::string& begun) {
    PutSecret("demo-cache-credentials",
              {{"keeper-password", kube::Base64Encode(servers_.password)}, {"initialized", kube::Base64Encode(begun)}});
  }
  Json Cluster() { return api_.Call("GET", kCluster).body; }
  runtime::Outcome Reconcile() {
    clusters_.objects[{"default", "demo"}] = std::make_shared<const Json>(Cluster());
    const auto outcome = reconciler_.Reconcile({"default", "demo/cache"}, {});
    EXPECT_TRUE(outcome.ok()) << outcome.error().message();
    return outcome.ok() ? *outcome : runtime::Outcome::Done();
  }
  // The status of the backend.
  Json Watch() {
    EXPECT_TRUE(Reconcile().requeue_after.has_value());
    return Cluster().value("/status/redis/0"_json_pointer, Json::object());
  }
  void Form() {
    for (int i = 0; i < 10; ++i) Watch();
    Begun("yes");
  }
  std::string Version() { return kube::ResourceVersionOf(Cluster()); }

  local::ApiServer api_;
  storagecluster::InProcessClient client_;
  Events events_;
  BenchClient servers_;
  Shown clusters_;
  Shown pods_;
  metrics::Registry registry_;
  ManualClock clock_;
  ShardReconciler reconciler_;
};

TEST_F(ShardReconcilerTest, FormsAClusterAndWritesNothingAtRest) {
  EXPECT_EQ(Watch().value("state", ""), "Forming");
  Form();
  const Json status = Watch();
  EXPECT_EQ(status.value("state", ""), "Serving");
  EXPECT_EQ(status.value("slotsCovered", 0), 16384);
  EXPECT_EQ(status.at("shards").size(), 3u);
  EXPECT_EQ(status.at("members").size(), 6u);
  EXPECT_FALSE(status.contains("message"));
  EXPECT_THAT(events_.reasons, ElementsAre("SlotsServed"));
  const std::string version = Version();
  servers_.told.clear();
  for (int i = 0; i < 10; ++i) Watch();
  EXPECT_EQ(Version(), version);
  EXPECT_THAT(servers_.told, IsEmpty());
}

TEST_F(ShardReconcilerTest, AFailoverIsToldFromItsBeginningToItsEnd) {
  Form();
  Watch();
  events_.reasons.clear();
  servers_.bench.servers.at(2).answers = false;
  EXPECT_EQ(Watch().value("state", ""), "FailingOver");
  servers_.bench.TakeOver(3);
  const Json status = Watch();
  EXPECT_EQ(status.value("state", ""), "Serving");
  EXPECT_EQ(status.value("/shards/1/master"_json_pointer, ""), "demo-cache-3");
  EXPECT_THAT(events_.reasons, ElementsAre("FailoverStarted", "MasterChanged", "SlotsServed"));
}

TEST_F(ShardReconcilerTest, AFailoverThatDoesNotEndIsAShardLost) {
  Form();
  Watch();
  servers_.bench.servers.at(2).answers = false;
  EXPECT_EQ(Watch().value("state", ""), "FailingOver");
  clock_.Advance(std::chrono::seconds(39));
  EXPECT_EQ(Watch().value("state", ""), "FailingOver");
  clock_.Advance(std::chrono::seconds(2));
  const Json status = Watch();
  EXPECT_EQ(status.value("state", ""), "ShardLost");
  EXPECT_THAT(status.value("message", ""), HasSubstr("5461-10921"));
  EXPECT_THAT(events_.reasons, Contains("ShardLost"));
  servers_.bench.servers.at(2).answers = true;
  EXPECT_EQ(Watch().value("state", ""), "Serving");
}

TEST_F(ShardReconcilerTest, SlotsMoveToNewShardsAndThatIsTold) {
  Form();
  Watch();
  events_.reasons.clear();
  const Json more = {
      {{"name", "cache"}, {"redis", {{"mode", "Cluster"}, {"shards", 5}, {"storage", {{"size", "1Gi"}}}}}}};
  const Json patch = {{"spec", {{"backends", Json::array({more.at(0)})}}}};
  ASSERT_TRUE(api_.Call("PATCH", kCluster, patch, "application/merge-patch+json").ok());
  Json status = Watch();
  EXPECT_EQ(status.value("state", ""), "Serving");
  EXPECT_EQ(status.value("slotsToMove", 0), 6554);
  EXPECT_THAT(status.value("message", ""), HasSubstr("6 of 10 servers answer"));
  ShowPods(10);
  servers_.bench.Grow(5);
  servers_.moves = false;
  for (int i = 0; i < 5; ++i) status = Watch();
  EXPECT_EQ(status.value("slotsToMove", 0), 6554);
  EXPECT_FALSE(status.contains("message")) << status;
  servers_.moves = true;
  int looks = 0;
  while (Watch().contains("slotsToMove") && ++looks < 100) EXPECT_EQ(Watch().value("slotsCovered", 0), 16384);
  status = Watch();
  EXPECT_EQ(status.at("shards").size(), 5u);
  EXPECT_EQ(status.value("state", ""), "Serving");
  EXPECT_EQ(status.value("replicasInStep", 0), 5);
  EXPECT_THAT(events_.reasons, ElementsAre("SlotsMoving", "SlotsMoved"));
  const std::string version = Version();
  for (int i = 0; i < 5; ++i) Watch();
  EXPECT_EQ(Version(), version);
}

TEST_F(ShardReconcilerTest, SilenceIsToldWhenItLastsAndThePasswordIsReadAnew) {
  Form();
  Watch();
  servers_.password = "other";
  EXPECT_EQ(Watch().value("state", ""), "Serving");
  EXPECT_EQ(Watch().value("state", ""), "Serving");
  EXPECT_EQ(Watch().value("state", ""), "ServersSilent");
  Begun("yes");
  for (int i = 0; i < 3; ++i) Watch();
  EXPECT_EQ(Watch().value("state", ""), "Serving");
}

TEST_F(ShardReconcilerTest, OfABackendThatDoesNotRunNothingIsSaid) {
  Form();
  Watch();
  const Json hibernate = {{"metadata", {{"annotations", {{api::kHibernateAnnotation, "true"}}}}}};
  ASSERT_TRUE(api_.Call("PATCH", kCluster, hibernate, "application/merge-patch+json").ok());
  EXPECT_FALSE(Reconcile().requeue_after.has_value());
  EXPECT_FALSE(Cluster().at("status").contains("redis"));
}

}  // namespace
}  // namespace holdfast::shards
