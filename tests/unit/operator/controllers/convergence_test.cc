// A cluster's life without faults, against the in-memory API server.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/controllers/storagecluster/finalize.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {
namespace {

using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::UnorderedElementsAre;
namespace kinds = kube::kinds;

TEST(Convergence, AnEmbeddedClusterGetsReadyAndRests) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_THAT(
      bench.Objects(),
      UnorderedElementsAre(Key("StorageCluster/demo"), Key("ServiceAccount/demo"), Key("ConfigMap/demo-config"),
                           Key("Service/demo"), Key("Service/demo-headless"), Key("PodDisruptionBudget/demo"),
                           Key("StatefulSet/demo"), Key("PersistentVolumeClaim/data-demo-0"), Key("Pod/demo-0")));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_EQ(bench.ConditionOf("demo", "Progressing"), "False Settled");
  EXPECT_EQ(bench.ConditionOf("demo", "Degraded"), "False AsExpected");
  const Json status = bench.Cluster("demo").at("status");
  EXPECT_EQ(status.at("observedGeneration"), 1);
  EXPECT_EQ(status.at("endpoint"), "http://demo.prod.svc:8080");
  EXPECT_EQ(status.at("stores"), "main");
  EXPECT_EQ(status.at("replicas"), 1);
  EXPECT_EQ(status.at("backends").at(0).at("claimName"), "data-demo-0");
  EXPECT_TRUE(bench.HasEvent("Available"));

  const int writes = bench.client().writes();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(bench.Reconcile("demo").ok());
  EXPECT_EQ(bench.client().writes(), writes) << "a cluster at rest was written to";
}

TEST(Convergence, TheFinalizerComesBeforeAnyChild) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  std::vector<std::string> writes;
  bench.client().on_write = [&](const std::string& verb, const std::string& target) {
    writes.push_back(verb + " " + target);
  };
  ASSERT_TRUE(bench.Reconcile("demo").ok());
  ASSERT_GE(writes.size(), 3u);
  EXPECT_EQ(writes.front(), "patch StorageCluster/demo");
  EXPECT_EQ(writes.back(), "status StorageCluster/demo");
  EXPECT_TRUE(HasFinalizer(bench.Cluster("demo")));
}

TEST(Convergence, AMemoryClusterHasNoClaim) {
  ClusterBench bench;
  bench.CreateCluster("cache", MemorySpec());
  ASSERT_TRUE(bench.Converge("cache"));
  EXPECT_EQ(bench.ConditionOf("cache", "Ready"), "True Available");
  EXPECT_TRUE(bench.Get(kinds::kPersistentVolumeClaim, "data-cache-0").is_null());
}

TEST(Convergence, ScalingToZeroAndBack) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const std::string claim = kube::UidOf(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0"));
  bench.PatchSpec("demo", {{"service", {{"replicas", 0}}}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False ScaledToZero");
  EXPECT_TRUE(bench.Get(kinds::kPod, "demo-0").is_null());
  bench.PatchSpec("demo", {{"service", {{"replicas", 1}}}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_EQ(kube::UidOf(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0")), claim);
}

TEST(Convergence, AGrownBackendGrowsTheClaimAndLeavesTheTemplate) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec("1Gi"));
  ASSERT_TRUE(bench.Converge("demo"));
  const std::string set = kube::UidOf(bench.Get(kinds::kStatefulSet, "demo"));
  bench.PatchSpec("demo", {{"backends", EmbeddedSpec("3Gi").at("backends")}});
  ASSERT_TRUE(bench.Converge("demo"));
  const Json claim = bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0");
  EXPECT_EQ(kube::StringAt(claim, "/spec/resources/requests/storage"), "3Gi");
  const Json stateful_set = bench.Get(kinds::kStatefulSet, "demo");
  EXPECT_EQ(kube::UidOf(stateful_set), set) << "the StatefulSet was replaced";
  EXPECT_EQ(kube::StringAt(stateful_set, "/spec/volumeClaimTemplates/0/spec/resources/requests/storage"), "1Gi");
  EXPECT_EQ(bench.Cluster("demo").at("status").at("backends").at(0).at("requested"), "3Gi");
}

TEST(Convergence, AClaimNeverShrinks) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec("3Gi"));
  ASSERT_TRUE(bench.Converge("demo"));
  // The API server's rule forbids it; the double has no CEL, so it shows what the controller does by itself.
  bench.PatchSpec("demo", {{"backends", EmbeddedSpec("1Gi").at("backends")}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(kube::StringAt(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0"), "/spec/resources/requests/storage"),
            "3Gi");
}

TEST(Convergence, ABadSpecLeavesWhatRunsAndTheGoodOneComesBack) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const auto before = bench.Objects();
  bench.PatchSpec("demo", {{"defaultStore", "missing"}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False InvalidSpec");
  EXPECT_EQ(bench.ConditionOf("demo", "Degraded"), "True InvalidSpec");
  EXPECT_THAT(bench.MessageOf("demo", "Ready"), HasSubstr("spec.defaultStore"));
  EXPECT_TRUE(bench.HasEvent("InvalidSpec"));
  auto during = bench.Objects();
  during["StorageCluster/demo"] = before.at("StorageCluster/demo");
  EXPECT_EQ(during, before);
  bench.PatchSpec("demo", {{"defaultStore", nullptr}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.Objects(), before);
}

TEST(Convergence, ReplicasOfAStoreGetVolumesOfTheirOwnAndGrowOneByOne) {
  const auto replicas = [](const std::string& size_of_b) {
    Json spec = EmbeddedSpec();
    for (const auto& [name, size] : {std::pair<std::string, std::string>{"a", "1Gi"}, {"b", size_of_b}}) {
      spec["backends"].push_back({{"name", name}, {"embedded", {{"storage", {{"size", size}}}}}});
    }
    spec["stores"].push_back({{"name", "copies"}, {"replicated", {{"backends", {"a", "b"}}}}});
    return spec;
  };
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const std::string first = kube::UidOf(bench.Get(kinds::kStatefulSet, "demo"));
  const std::string data = kube::UidOf(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0"));
  bench.PatchSpec("demo", replicas("1Gi"));
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  const std::string second = kube::UidOf(bench.Get(kinds::kStatefulSet, "demo"));
  EXPECT_NE(second, first) << "templates of claims cannot be changed in place";
  EXPECT_EQ(kube::UidOf(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0")), data);
  const auto requested = [&](const char* claim) {
    return kube::StringAt(bench.Get(kinds::kPersistentVolumeClaim, claim), "/spec/resources/requests/storage");
  };
  EXPECT_EQ(requested("replica-a-demo-0"), "1Gi");
  EXPECT_EQ(requested("replica-b-demo-0"), "1Gi");
  EXPECT_EQ(bench.Cluster("demo").at("status").at("backends").at(1).at("claimName"), "replica-a-demo-0");

  bench.PatchSpec("demo", {{"backends", replicas("2Gi").at("backends")}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(requested("replica-a-demo-0"), "1Gi");
  EXPECT_EQ(requested("replica-b-demo-0"), "2Gi");
  EXPECT_EQ(kube::UidOf(bench.Get(kinds::kStatefulSet, "demo")), second);
}

TEST(Convergence, SwitchingBetweenMemoryAndEmbeddedMakesTheStatefulSetAnew) {
  ClusterBench bench;
  bench.CreateCluster("demo", MemorySpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const std::string first = kube::UidOf(bench.Get(kinds::kStatefulSet, "demo"));
  bench.PatchSpec("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_NE(kube::UidOf(bench.Get(kinds::kStatefulSet, "demo")), first);
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  const std::string claim = kube::UidOf(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0"));
  EXPECT_FALSE(claim.empty());
  // And back: the data stays.
  bench.PatchSpec("demo", MemorySpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(kube::UidOf(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0")), claim);
}

TEST(Convergence, ForeignEditsOfOwnedFieldsAreRestoredAndOthersStay) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const auto before = bench.Objects();
  const auto patch = [&](const kube::ResourceKind& kind, const std::string& name, const Json& change) {
    ASSERT_TRUE(bench.user().MergePatch(kind, {"prod", name}, change, Deadline::After(std::chrono::seconds{10})).ok());
  };
  patch(kinds::kStatefulSet, "demo", {{"spec", {{"replicas", 3}}}});
  patch(kinds::kConfigMap, "demo-config", {{"data", {{"holdfast.yaml", "broken"}}}});
  patch(kinds::kService, "demo",
        {{"metadata",
          {{"labels", {{resources::kClusterLabel, nullptr}, {"team", "blue"}}}, {"ownerReferences", nullptr}}}});
  ASSERT_TRUE(bench.Converge("demo"));
  auto after = bench.Objects();
  EXPECT_EQ(after["Service/demo"]["metadata"]["labels"]["team"], "blue");
  after["Service/demo"]["metadata"]["labels"].erase("team");
  EXPECT_EQ(after, before);
  const int writes = bench.client().writes();
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.client().writes(), writes);
}

TEST(Convergence, DeletedChildrenComeBack) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const auto before = bench.Objects();
  for (const kube::ResourceKind& kind : {kinds::kService, kinds::kStatefulSet}) {
    const Json live = bench.Get(kind, "demo");
    ASSERT_TRUE(bench.user()
                    .Delete(kind, {"prod", "demo"}, {kube::UidOf(live), kube::ResourceVersionOf(live)},
                            Deadline::After(std::chrono::seconds{10}))
                    .ok());
  }
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.Objects(), before);
}

TEST(Convergence, AChildNoLongerDesiredIsPruned) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const auto before = bench.Objects();
  Json stray = bench.Get(kinds::kConfigMap, "demo-config");
  const Json metadata = {{"name", "demo-old-config"},
                         {"namespace", "prod"},
                         {"labels", stray.at("metadata").at("labels")},
                         {"ownerReferences", stray.at("metadata").at("ownerReferences")}};
  stray["metadata"] = metadata;
  ASSERT_TRUE(bench.user().Create(kinds::kConfigMap, stray, Deadline::After(std::chrono::seconds{10})).ok());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.Objects(), before);
}

// With more Services than the server has addresses it answers 500, for ever: nothing to wait for in silence.
class NoAddressLeft : public CrashingClient {
 public:
  using CrashingClient::CrashingClient;
  Result<Json> Apply(const kube::ResourceKind& kind, const Json& object, const kube::ApplyOptions& options,
                     Deadline deadline) override {
    if (full && kind == kinds::kService) {
      return Error(ErrorCode::kUnavailable, "failed to allocate a serviceIP: range is full");
    }
    return CrashingClient::Apply(kind, object, options, deadline);
  }
  bool full = true;
};

TEST(Convergence, AFailureThatLastsIsToldInTheStatus) {
  std::shared_ptr<NoAddressLeft> server;
  ClusterBench bench(ClusterBench::Transport::kInProcess, [&](std::shared_ptr<kube::Client> next) {
    server = std::make_shared<NoAddressLeft>(std::move(next));
    return server;
  });
  bench.CreateCluster("demo", EmbeddedSpec());
  EXPECT_FALSE(bench.Reconcile("demo").ok());
  EXPECT_FALSE(bench.Reconcile("demo").ok());
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "") << "told before it has lasted";

  bench.failure_patience = std::chrono::milliseconds{0};
  bench.RestartOperator();
  EXPECT_FALSE(bench.Reconcile("demo").ok());
  EXPECT_FALSE(bench.Reconcile("demo").ok());
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False ApiServerFailing");
  EXPECT_THAT(bench.MessageOf("demo", "Ready"), HasSubstr("range is full"));
  EXPECT_EQ(bench.Cluster("demo").at("status").at("observedGeneration"), 1);
  // Once.
  const std::uint64_t told = bench.revision();
  EXPECT_FALSE(bench.Reconcile("demo").ok());
  EXPECT_EQ(bench.revision(), told);

  server->full = false;
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
}

}  // namespace
}  // namespace holdfast::storagecluster
