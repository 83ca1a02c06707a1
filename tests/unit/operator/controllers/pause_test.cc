// While a cluster is paused nothing is written but its status, which stays true; resumed, it catches up.
#include "operator/controllers/storagecluster/pause.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace kinds = kube::kinds;

void Annotate(ClusterBench& bench, const Json& value) {
  const Json patch = {{"metadata", {{"annotations", {{api::kPausedAnnotation, value}}}}}};
  ASSERT_TRUE(
      bench.user()
          .MergePatch(kinds::kStorageCluster, {"prod", "demo"}, patch, Deadline::After(std::chrono::seconds{10}))
          .ok());
}

void Pause(ClusterBench& bench) {
  Annotate(bench, "true");
}

// Null as merge patches understand it.
void Resume(ClusterBench& bench) {
  Annotate(bench, nullptr);
}

// Every write of the operator from now on.
std::vector<std::string>& Record(ClusterBench& bench) {
  auto writes = std::make_shared<std::vector<std::string>>();
  bench.client().on_write = [writes](const std::string& verb, const std::string& target) {
    writes->push_back(verb + " " + target);
  };
  return *writes;
}

TEST(Pause, OnlyTheStatusIsWrittenAndChangesWait) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const auto before = bench.Objects();
  Pause(bench);
  const std::vector<std::string>& writes = Record(bench);
  bench.PatchSpec("demo", {{"service", {{"replicas", 0}}}, {"defaultStore", "main"}});
  const Json service = bench.Get(kinds::kService, "demo");
  ASSERT_TRUE(bench.user()
                  .Delete(kinds::kService, {"prod", "demo"}, {kube::UidOf(service), kube::ResourceVersionOf(service)},
                          Deadline::After(std::chrono::seconds{10}))
                  .ok());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_THAT(writes, Each("status StorageCluster/demo"));
  EXPECT_LE(writes.size(), 3u);
  EXPECT_TRUE(bench.Get(kinds::kService, "demo").is_null());
  EXPECT_EQ(bench.Get(kinds::kStatefulSet, "demo").at("spec").at("replicas"), 1);

  EXPECT_EQ(bench.ConditionOf("demo", "Paused"), "True PausedByAnnotation");
  EXPECT_THAT(bench.MessageOf("demo", "Paused"), HasSubstr("2 changes wait for that: Service prod/demo is not there"));
  EXPECT_THAT(bench.MessageOf("demo", "Paused"), HasSubstr(api::kPausedAnnotation));
  EXPECT_EQ(bench.ConditionOf("demo", "Progressing"), "False PausedByAnnotation");
  // What is said is about what runs, and about its generation: whoever waits for the new one goes on waiting.
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_EQ(bench.Cluster("demo").at("metadata").at("generation"), 2);
  EXPECT_EQ(bench.Cluster("demo").at("status").at("observedGeneration"), 1);
  EXPECT_TRUE(bench.HasEvent("Paused"));

  bench.PatchSpec("demo", {{"service", {{"replicas", 1}}}, {"defaultStore", nullptr}});
  Resume(bench);
  ASSERT_TRUE(bench.Converge("demo"));
  auto after = bench.Objects();
  after["StorageCluster/demo"]["metadata"].erase("annotations");  // empty now
  EXPECT_EQ(after, before);
  EXPECT_EQ(bench.ConditionOf("demo", "Paused"), "");
  EXPECT_EQ(bench.Cluster("demo").at("status").at("observedGeneration"), 3);
  EXPECT_TRUE(bench.HasEvent("Resumed"));
}

TEST(Pause, APodThatIsLostIsSaid) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  Pause(bench);
  ASSERT_TRUE(bench.Converge("demo"));
  Json set = bench.Get(kinds::kStatefulSet, "demo");
  set["status"]["readyReplicas"] = 0;
  ASSERT_TRUE(bench.user().UpdateStatus(kinds::kStatefulSet, set, Deadline::After(std::chrono::seconds{10})).ok());
  ASSERT_TRUE(bench.Reconcile("demo").ok());
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False RollingOut");
  EXPECT_EQ(bench.ConditionOf("demo", "Progressing"), "False PausedByAnnotation");
}

TEST(Pause, ACreatedClusterGetsNothingUntilItIsResumed) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  Pause(bench);
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.Objects().size(), 1u);
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False RollingOut");
  EXPECT_THAT(bench.MessageOf("demo", "Paused"), HasSubstr("6 changes wait"));
  Resume(bench);
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
}

TEST(Pause, ADeletionWaits) {
  ClusterBench bench;
  Json spec = EmbeddedSpec();
  spec["terminationPolicy"] = "Delete";
  bench.CreateCluster("demo", spec);
  ASSERT_TRUE(bench.Converge("demo"));
  Pause(bench);
  bench.DeleteCluster("demo");
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_THAT(bench.MessageOf("demo", "Paused"), HasSubstr("the deletion waits for that"));
  EXPECT_FALSE(bench.Get(kinds::kStatefulSet, "demo").is_null());
  EXPECT_FALSE(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0").is_null());
  Resume(bench);
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_THAT(bench.Objects(), IsEmpty());
}

TEST(Pause, AnInvalidSpecIsSaidAndWhatRunsIsStillReady) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  Pause(bench);
  bench.PatchSpec("demo", {{"defaultStore", "missing"}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_THAT(bench.MessageOf("demo", "Paused"), HasSubstr("the spec would be refused: spec.defaultStore"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  Resume(bench);
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False InvalidSpec");
}

TEST(Pause, AtRestCostsNoRequest) {
  ClusterBench bench;
  bench.CreateCluster("demo", EmbeddedSpec());
  Pause(bench);
  ASSERT_TRUE(bench.Converge("demo"));
  const int writes = bench.client().writes();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(bench.Reconcile("demo").ok());
  EXPECT_EQ(bench.client().writes(), writes);
}

}  // namespace
}  // namespace holdfast::storagecluster
