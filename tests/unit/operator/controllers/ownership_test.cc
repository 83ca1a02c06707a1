// Objects of our children's names that are not ours are never taken over, and the cluster says what is in the way.
#include "operator/controllers/storagecluster/ownership.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {
namespace {

using ::testing::HasSubstr;
namespace kinds = kube::kinds;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{10});
}

Json ForeignConfigMap() {
  return Json::parse(R"({"apiVersion": "v1", "kind": "ConfigMap",
                         "metadata": {"name": "demo-config", "namespace": "prod"}, "data": {"mine": "yes"}})");
}

Json Claim(const Json& labels) {
  return {{"apiVersion", "v1"},
          {"kind", "PersistentVolumeClaim"},
          {"metadata", {{"name", "data-demo-0"}, {"namespace", "prod"}, {"labels", labels}}},
          {"spec", Json::parse(R"({"accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
                                   "resources": {"requests": {"storage": "1Gi"}}})")}};
}

TEST(Ownership, AForeignObjectBlocksAndIsNotTouched) {
  ClusterBench bench;
  ASSERT_TRUE(bench.user().Create(kinds::kConfigMap, ForeignConfigMap(), Soon()).ok());
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False ObjectConflict");
  EXPECT_EQ(bench.ConditionOf("demo", "Degraded"), "True ObjectConflict");
  EXPECT_THAT(bench.MessageOf("demo", "Ready"), HasSubstr("ConfigMap prod/demo-config"));
  EXPECT_THAT(bench.MessageOf("demo", "Ready"), HasSubstr("rename or delete it"));
  EXPECT_TRUE(bench.HasEvent("ObjectConflict"));
  EXPECT_EQ(bench.Get(kinds::kConfigMap, "demo-config").at("data"), Json({{"mine", "yes"}}));
  EXPECT_TRUE(bench.Get(kinds::kStatefulSet, "demo").is_null()) << "pods were built upon a stranger's configuration";

  // Removed, everything comes right.
  const Json live = bench.Get(kinds::kConfigMap, "demo-config");
  ASSERT_TRUE(bench.user()
                  .Delete(kinds::kConfigMap, {"prod", "demo-config"},
                          {kube::UidOf(live), kube::ResourceVersionOf(live)}, Soon())
                  .ok());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
}

TEST(Ownership, AForeignObjectSurvivesTheDeletionOfTheCluster) {
  ClusterBench bench;
  ASSERT_TRUE(bench.user().Create(kinds::kConfigMap, ForeignConfigMap(), Soon()).ok());
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  bench.DeleteCluster("demo");
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_TRUE(bench.Cluster("demo").is_null());
  EXPECT_FALSE(bench.Get(kinds::kConfigMap, "demo-config").is_null());
}

TEST(Ownership, AForeignClaimIsNotMountedUntilItIsLabelled) {
  ClusterBench bench;
  ASSERT_TRUE(bench.user().Create(kinds::kPersistentVolumeClaim, Claim(Json::object()), Soon()).ok());
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False ObjectConflict");
  EXPECT_THAT(bench.MessageOf("demo", "Ready"), HasSubstr("label the claim storage.holdfast.dev/cluster=demo"));
  EXPECT_TRUE(bench.Get(kinds::kStatefulSet, "demo").is_null());
  ASSERT_TRUE(bench.user()
                  .MergePatch(kinds::kPersistentVolumeClaim, {"prod", "data-demo-0"},
                              {{"metadata", {{"labels", {{resources::kClusterLabel, "demo"}}}}}}, Soon())
                  .ok());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
}

TEST(Ownership, AClaimOfAnotherStorageClassBlocks) {
  ClusterBench bench;
  ASSERT_TRUE(
      bench.user().Create(kinds::kPersistentVolumeClaim, Claim({{resources::kClusterLabel, "demo"}}), Soon()).ok());
  Json spec = EmbeddedSpec();
  spec["backends"][0]["embedded"]["storage"]["storageClassName"] = "slow";
  bench.CreateCluster("demo", spec);
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False StorageClassMismatch");
}

TEST(Ownership, NamespacesAreApart) {
  ClusterBench bench;
  Json elsewhere = ForeignConfigMap();
  elsewhere["metadata"]["namespace"] = "default";
  ASSERT_TRUE(bench.user().Create(kinds::kConfigMap, elsewhere, Soon()).ok());
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  const auto untouched = bench.user().Get(kinds::kConfigMap, {"default", "demo-config"}, Soon());
  ASSERT_TRUE(untouched.ok());
  EXPECT_EQ(untouched->at("data"), Json({{"mine", "yes"}}));
}

TEST(Ownership, IsToldByControllerAndLabels) {
  api::StorageCluster cluster;
  cluster.name = "demo";
  cluster.uid = "u-2";
  const auto of = [&](const std::string& metadata) {
    return OwnershipOf({{"metadata", Json::parse(metadata)}}, cluster);
  };
  EXPECT_EQ(of(R"({"ownerReferences": [{"controller": true, "uid": "u-2"}]})"), Ownership::kOurs);
  EXPECT_EQ(of(R"({"ownerReferences": [{"controller": true, "uid": "u-1", "kind": "StorageCluster", "name": "demo",
                                        "apiVersion": "storage.holdfast.dev/v1"}]})"),
            Ownership::kFormer);
  EXPECT_EQ(of(R"({"ownerReferences": [{"controller": true, "uid": "u-1", "kind": "StorageCluster", "name": "other",
                                        "apiVersion": "storage.holdfast.dev/v1"}]})"),
            Ownership::kForeign);
  EXPECT_EQ(of(R"({"ownerReferences": [{"uid": "u-2"}]})"), Ownership::kForeign);
  EXPECT_EQ(of(R"({"labels": {"storage.holdfast.dev/cluster": "demo",
                              "app.kubernetes.io/managed-by": "holdfast-operator"}})"),
            Ownership::kOurs);
  EXPECT_EQ(of(R"({"labels": {"storage.holdfast.dev/cluster": "demo"}})"), Ownership::kForeign);
  EXPECT_EQ(of("{}"), Ownership::kForeign);
  EXPECT_EQ(of(R"({"ownerReferences": "broken"})"), Ownership::kForeign);
}

}  // namespace
}  // namespace holdfast::storagecluster
