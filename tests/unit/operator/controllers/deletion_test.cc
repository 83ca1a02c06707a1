// What becomes of the children, and above all of the data, when a cluster is deleted.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/controllers/storagecluster/finalize.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
namespace kinds = kube::kinds;

Json SpecWithPolicy(const std::string& policy) {
  Json spec = EmbeddedSpec();
  spec["terminationPolicy"] = policy;
  return spec;
}

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{10});
}

TEST(Deletion, RetainKeepsTheClaimWithoutAnOwnerAndSaysSo) {
  ClusterBench bench;
  bench.CreateCluster("demo", SpecWithPolicy("Retain"));
  ASSERT_TRUE(bench.Converge("demo"));
  bench.DeleteCluster("demo");
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_THAT(bench.Objects(), ElementsAre(Key("PersistentVolumeClaim/data-demo-0")));
  const Json claim = bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0");
  EXPECT_FALSE(claim.at("metadata").contains("ownerReferences"));
  EXPECT_TRUE(bench.HasEvent("VolumesRetained"));
}

TEST(Deletion, RetainTakesOwnersOffTheClaim) {
  ClusterBench bench;
  bench.CreateCluster("demo", SpecWithPolicy("Retain"));
  ASSERT_TRUE(bench.Converge("demo"));
  const Json owner = {{"apiVersion", "storage.holdfast.dev/v1"},
                      {"kind", "StorageCluster"},
                      {"name", "demo"},
                      {"uid", kube::UidOf(bench.Cluster("demo"))}};
  ASSERT_TRUE(bench.user()
                  .MergePatch(kinds::kPersistentVolumeClaim, {"prod", "data-demo-0"},
                              {{"metadata", {{"ownerReferences", Json::array({owner})}}}}, Soon())
                  .ok());
  bench.DeleteCluster("demo");
  ASSERT_TRUE(bench.Converge("demo"));
  const Json claim = bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0");
  ASSERT_FALSE(claim.is_null());
  EXPECT_TRUE(claim.at("metadata").value("ownerReferences", Json::array()).empty());
}

TEST(Deletion, DeleteTakesTheClaimOnlyAfterThePods) {
  ClusterBench bench;
  bench.CreateCluster("demo", SpecWithPolicy("Delete"));
  ASSERT_TRUE(bench.Converge("demo"));
  bench.DeleteCluster("demo");
  // A pod that is slow to end: it is gone from its StatefulSet but still there.
  ASSERT_TRUE(bench.user()
                  .MergePatch(kinds::kPod, {"prod", "demo-0"},
                              {{"metadata", {{"finalizers", {"test/hold"}}, {"ownerReferences", nullptr}}}}, Soon())
                  .ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(bench.Reconcile("demo").ok());
  EXPECT_TRUE(bench.Get(kinds::kStatefulSet, "demo").is_null());
  EXPECT_FALSE(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0").is_null());
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False Terminating");
  EXPECT_THAT(bench.MessageOf("demo", "Ready"), HasSubstr("Pod prod/demo-0 to end"));
  ASSERT_TRUE(
      bench.user().MergePatch(kinds::kPod, {"prod", "demo-0"}, {{"metadata", {{"finalizers", nullptr}}}}, Soon()).ok());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_TRUE(bench.Objects().empty());
}

TEST(Deletion, DoNotTerminateHoldsUntilThePolicyChanges) {
  ClusterBench bench;
  bench.CreateCluster("demo", SpecWithPolicy("DoNotTerminate"));
  ASSERT_TRUE(bench.Converge("demo"));
  bench.DeleteCluster("demo");
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available") << "the service keeps running";
  EXPECT_EQ(bench.ConditionOf("demo", "Degraded"), "True DeletionBlocked");
  EXPECT_THAT(bench.MessageOf("demo", "Degraded"), HasSubstr("set it to Retain"));
  EXPECT_TRUE(bench.HasEvent("DeletionBlocked"));
  bench.PatchSpec("demo", {{"terminationPolicy", "Retain"}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_THAT(bench.Objects(), ElementsAre(Key("PersistentVolumeClaim/data-demo-0")));
}

TEST(Deletion, DoNotTerminateCannotHoldANamespaceThatGoes) {
  ClusterBench bench;
  bench.CreateCluster("demo", SpecWithPolicy("DoNotTerminate"));
  ASSERT_TRUE(bench.Converge("demo"));
  const kube::ResourceKind ns{"", "v1", "Namespace", "namespaces", false};
  ASSERT_TRUE(bench.user().MergePatch(ns, {"", "prod"}, {{"metadata", {{"finalizers", {"test/hold"}}}}}, Soon()).ok());
  const auto live = bench.user().Get(ns, {"", "prod"}, Soon());
  ASSERT_TRUE(live.ok());
  ASSERT_TRUE(bench.user().Delete(ns, {"", "prod"}, {kube::UidOf(*live), kube::ResourceVersionOf(*live)}, Soon()).ok());
  if (!bench.Cluster("demo").is_null()) {
    if (!kube::IsBeingDeleted(bench.Cluster("demo"))) bench.DeleteCluster("demo");
    ASSERT_TRUE(bench.Converge("demo"));
  }
  EXPECT_TRUE(bench.Cluster("demo").is_null());
}

TEST(Deletion, AnInvalidSpecDoesNotKeepAClusterFromGoing) {
  ClusterBench bench;
  bench.CreateCluster("demo", SpecWithPolicy("Delete"));
  ASSERT_TRUE(bench.Converge("demo"));
  bench.PatchSpec("demo", {{"defaultStore", "missing"}});
  ASSERT_TRUE(bench.Converge("demo"));
  bench.DeleteCluster("demo");
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_TRUE(bench.Objects().empty());
}

TEST(Deletion, ForeignFinalizersStay) {
  ClusterBench bench;
  bench.CreateCluster("demo", SpecWithPolicy("Retain"));
  ASSERT_TRUE(bench.user()
                  .MergePatch(kinds::kStorageCluster, {"prod", "demo"},
                              {{"metadata", {{"finalizers", {"somebody.else/holds"}}}}}, Soon())
                  .ok());
  ASSERT_TRUE(bench.Converge("demo"));
  bench.DeleteCluster("demo");
  ASSERT_TRUE(bench.Converge("demo"));
  const Json cluster = bench.Cluster("demo");
  ASSERT_FALSE(cluster.is_null());
  EXPECT_EQ(cluster.at("metadata").at("finalizers"), Json::array({"somebody.else/holds"}));
}

TEST(Deletion, ANewClusterOfTheNameTakesTheRetainedVolumeOver) {
  ClusterBench bench;
  bench.CreateCluster("demo", SpecWithPolicy("Retain"));
  ASSERT_TRUE(bench.Converge("demo"));
  const std::string claim = kube::UidOf(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0"));
  bench.DeleteCluster("demo");
  ASSERT_TRUE(bench.Converge("demo"));
  bench.CreateCluster("demo", SpecWithPolicy("Retain"));
  ASSERT_TRUE(bench.Converge("demo"));
  const Json live = bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0");
  EXPECT_EQ(kube::UidOf(live), claim);
  EXPECT_EQ(kube::LabelOf(live, resources::kOwnerUidLabel), kube::UidOf(bench.Cluster("demo")));
  EXPECT_TRUE(bench.HasEvent("VolumeTakenOver"));
}

TEST(Deletion, AMemoryClusterOfTheNameLeavesTheRetainedVolumeAlone) {
  ClusterBench bench;
  bench.CreateCluster("demo", SpecWithPolicy("Retain"));
  ASSERT_TRUE(bench.Converge("demo"));
  bench.DeleteCluster("demo");
  ASSERT_TRUE(bench.Converge("demo"));
  Json memory = MemorySpec();
  memory["terminationPolicy"] = "Delete";
  bench.CreateCluster("demo", memory);
  ASSERT_TRUE(bench.Converge("demo"));
  bench.DeleteCluster("demo");
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_THAT(bench.Objects(), ElementsAre(Key("PersistentVolumeClaim/data-demo-0")));
}

TEST(Finalization, EveryDeleteNamesWhatWasRead) {
  Observed observed;
  observed.children.push_back(
      {kinds::kStatefulSet, Json::parse(R"({"metadata": {"name": "demo", "namespace": "prod", "uid": "s-1",
                                                         "resourceVersion": "7"}})")});
  const Finalization first = PlanFinalization("u-1", api::TerminationPolicy::kDelete, observed);
  ASSERT_EQ(first.actions.size(), 1u);
  EXPECT_EQ(first.actions[0].preconditions.uid, "s-1");
  EXPECT_EQ(first.actions[0].preconditions.resource_version, "7");

  observed.children.clear();
  observed.claims.push_back(Json::parse(R"({"metadata": {"name": "data-demo-0", "namespace": "prod", "uid": "c-1",
                                                         "resourceVersion": "9"}})"));
  const Finalization second = PlanFinalization("u-1", api::TerminationPolicy::kDelete, observed);
  ASSERT_EQ(second.actions.size(), 1u);
  EXPECT_EQ(second.actions[0].preconditions.uid, "c-1");
  EXPECT_EQ(second.actions[0].preconditions.resource_version, "9");
  EXPECT_TRUE(PlanFinalization("u-1", api::TerminationPolicy::kRetain, observed).Finished());
}

}  // namespace
}  // namespace holdfast::storagecluster
