// The reconciler of shards over a double of the API server and servers that are played (shard_bench.h).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "operator/api/v1/crd.h"
#include "operator/kube/base64.h"
#include "operator/local/api_server/api_server.h"
#include "operator/shards/reconciler.h"
#include "tests/unit/operator/controllers/cluster_bench.h"
#include "tests/unit/operator/controllers/in_process_client.h"
#include "tests/unit/operator/shards/shard_bench.h"

namespace holdfast::shards {

using kube::Json;

inline constexpr char kClusters[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters";
inline constexpr char kCluster[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters/demo";

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
              const std::vector<int>& slots, const TransferLimits& given) override {
    limits = given;
    EXPECT_EQ(from_id, bench.IdOf(from.ordinal));
    EXPECT_EQ(to_id, bench.IdOf(to.ordinal));
    if (!moves) return Error(ErrorCode::kUnavailable, "no answer");
    bench.Move({from.ordinal, to.ordinal, slots});
    return {};
  }
  ShardBench bench{3, 1};
  bool moves = true;
  TransferLimits limits;
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

class ReconcilerBench {
 public:
  ReconcilerBench() : client_(std::make_shared<storagecluster::InProcessClient>(api_)) {
    StartOperator();
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

  // Another process of it, which remembers nothing.
  void StartOperator() {
    const auto copies = [this](const std::string&) { return ShardReconciler::Copies{&clusters_, &pods_}; };
    client_.CrashAt(0, storagecluster::CrashingClient::When::kBefore);
    reconciler_.emplace(client_, events_, copies, servers_, ShardOptions{}, registry_, clock_);
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
  void AskFor(const Json& more) {
    Json redis = {{"mode", "Cluster"}, {"storage", {{"size", "1Gi"}}}};
    redis.update(more);
    const Json patch = {{"spec", {{"backends", Json::array({{{"name", "cache"}, {"redis", redis}}})}}}};
    ASSERT_TRUE(api_.Call("PATCH", kCluster, patch, "application/merge-patch+json").ok());
  }
  Json Cluster() { return api_.Call("GET", kCluster).body; }
  runtime::Outcome Reconcile() {
    clusters_.objects[{"default", "demo"}] = std::make_shared<const Json>(Cluster());
    const auto outcome = reconciler_->Reconcile({"default", "demo/cache"}, {});
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
  storagecluster::CrashingClient client_;
  Events events_;
  BenchClient servers_;
  Shown clusters_;
  Shown pods_;
  metrics::Registry registry_;
  ManualClock clock_;
  std::optional<ShardReconciler> reconciler_;
};

}  // namespace holdfast::shards
