// Copies that lag behind, or show a world that is gone, cost reads; they never cost an object.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {
namespace {

namespace kinds = kube::kinds;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{10});
}

TEST(StaleFault, TheDeletionOfAFormerClusterNeverReachesTheNewOne) {
  ClusterBench bench;
  Json spec = EmbeddedSpec();
  spec["terminationPolicy"] = "Delete";
  bench.CreateCluster("demo", spec);
  ASSERT_TRUE(bench.Converge("demo"));
  bench.DeleteCluster("demo");
  bench.FreezeCopies();  // the old cluster, with its deletionTimestamp, and all its children
  const auto going = bench.Cluster("demo");
  ASSERT_TRUE(kube::IsBeingDeleted(going));
  bench.ThawCopies();
  ASSERT_TRUE(bench.Converge("demo"));
  ASSERT_TRUE(bench.Cluster("demo").is_null());

  // The same, but seen through the copies of before.
  bench.CreateCluster("demo", spec);
  ASSERT_TRUE(bench.Converge("demo"));
  bench.DeleteCluster("demo");
  bench.FreezeCopies();
  for (int i = 0; i < 10 && !bench.Cluster("demo").is_null(); ++i) {
    ASSERT_TRUE(bench.Reconcile("demo").ok());
    bench.PlayStatefulSets();
  }
  ASSERT_TRUE(bench.Cluster("demo").is_null());
  bench.CreateCluster("demo", spec);
  std::vector<std::string> deletes;
  bench.client().on_write = [&](const std::string& verb, const std::string& target) {
    if (verb == "delete") deletes.push_back(target);
  };
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(bench.Reconcile("demo").ok());
    bench.PlayStatefulSets();
  }
  EXPECT_THAT(deletes, ::testing::IsEmpty());
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
}

TEST(StaleFault, AnOldReplicaCountIsNotAppliedAgain) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  bench.PatchSpec("demo", {{"service", {{"replicas", 0}}}});
  bench.FreezeCopies();
  bench.PatchSpec("demo", {{"service", {{"replicas", 1}}}});
  ASSERT_TRUE(bench.Reconcile("demo").ok());
  EXPECT_EQ(bench.Get(kinds::kStatefulSet, "demo").at("spec").at("replicas"), 1);
}

TEST(StaleFault, AnOldSizeNeitherShrinksNorReplaces) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec("1Gi"));
  ASSERT_TRUE(bench.Converge("demo"));
  const std::string set = kube::UidOf(bench.Get(kinds::kStatefulSet, "demo"));
  bench.FreezeCopies();
  bench.PatchSpec("demo", {{"backends", EmbeddedSpec("2Gi").at("backends")}});
  bench.ThawCopies();
  ASSERT_TRUE(bench.Converge("demo"));
  bench.FreezeCopies();
  ASSERT_TRUE(bench.Reconcile("demo").ok());
  EXPECT_EQ(kube::UidOf(bench.Get(kinds::kStatefulSet, "demo")), set);
  EXPECT_EQ(kube::StringAt(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0"), "/spec/resources/requests/storage"),
            "2Gi");
}

TEST(StaleFault, CopiesThatAreEmptyWriteNothingTwice) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  bench.FreezeCopies();  // knows the cluster, and will never hear of its children
  ASSERT_TRUE(bench.Reconcile("demo").ok());
  bench.PlayStatefulSets();
  ASSERT_TRUE(bench.Reconcile("demo").ok());
  bench.PlayStatefulSets();
  ASSERT_TRUE(bench.Reconcile("demo").ok());
  const int writes = bench.client().writes();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(bench.Reconcile("demo").ok());
  EXPECT_EQ(bench.client().writes(), writes);
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
}

TEST(StaleFault, AChildChangedBetweenReadAndWriteIsNotOverwritten) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  bench.PatchSpec("demo", {{"service", {{"replicas", 0}}}});
  bench.client().on_write = [&](const std::string& verb, const std::string& target) {
    if (verb != "apply" || target != "StatefulSet/demo") return;
    bench.client().on_write = {};
    // Another operator was faster.
    ASSERT_TRUE(
        bench.user()
            .MergePatch(kinds::kStatefulSet, {"prod", "demo"}, {{"metadata", {{"labels", {{"other", "x"}}}}}}, Soon())
            .ok());
  };
  const auto outcome = bench.Reconcile("demo");
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code(), ErrorCode::kVersionConflict);
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.Get(kinds::kStatefulSet, "demo").at("spec").at("replicas"), 0);
  EXPECT_EQ(kube::LabelOf(bench.Get(kinds::kStatefulSet, "demo"), "other"), "x");
}

TEST(StaleFault, AStatusConflictIsReadAgainAndWritten) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  bench.client().on_write = [&](const std::string& verb, const std::string&) {
    if (verb != "status") return;
    bench.client().on_write = {};
    ASSERT_TRUE(
        bench.user()
            .MergePatch(kinds::kStorageCluster, {"prod", "demo"}, {{"metadata", {{"labels", {{"a", "b"}}}}}}, Soon())
            .ok());
  };
  ASSERT_TRUE(bench.Reconcile("demo").ok());
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False RollingOut");
}

}  // namespace
}  // namespace holdfast::storagecluster
