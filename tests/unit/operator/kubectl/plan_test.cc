// A plan is what the operator would do, and nothing of it is done.
#include "tests/unit/operator/kubectl/verb_fixture.h"

namespace holdfast::kubectl {
namespace {

using kube::Json;
using ::testing::HasSubstr;
using ::testing::Not;

class PlanVerb : public VerbTest {
 protected:
  // The plan, and the proof that it wrote nothing.
  int Plan(const Arguments& arguments, const std::string& input = "") {
    const std::uint64_t before = bench_.revision();
    const int status = Run(RunPlan, arguments, input);
    EXPECT_EQ(bench_.revision(), before) << "a plan wrote something";
    return status;
  }
  static std::string Manifest(const std::string& size, int replicas) {
    return R"(
apiVersion: storage.holdfast.dev/v1
kind: StorageCluster
metadata: {name: demo}
spec:
  backends: [{name: local, embedded: {storage: {size: )" +
           size + R"(}}}]
  stores: [{name: main, backend: local}]
  service: {replicas: )" +
           std::to_string(replicas) + "}\n";
  }
};

TEST_F(PlanVerb, OfAClusterAtRestIsEmpty) {
  CreateReadyCluster();
  ASSERT_EQ(Plan({"demo"}), 0) << error_.str();
  EXPECT_EQ(out_.str(), "nothing to do for StorageCluster prod/demo\n");
}

TEST_F(PlanVerb, NamesWhatIsToBeMade) {
  bench_.CreateCluster("demo", storagecluster::EmbeddedSpec());
  ASSERT_EQ(Plan({"demo"}), 0) << error_.str();
  for (const char* line : {"change StorageCluster prod/demo\n    /metadata/finalizers",
                           "create ServiceAccount prod/demo\n", "create ConfigMap prod/demo-config\n",
                           "create StatefulSet prod/demo\n", "the status would say\n    Ready False RollingOut"}) {
    EXPECT_THAT(out_.str(), HasSubstr(line));
  }
}

TEST_F(PlanVerb, OfAManifestNamesEachFieldThatChanges) {
  CreateReadyCluster();
  ASSERT_EQ(Plan({"-f", "-"}, Manifest("2Gi", 0)), 0) << error_.str();
  EXPECT_THAT(out_.str(), HasSubstr("change StatefulSet prod/demo\n    /spec/replicas: 1 -> 0\n"));
  EXPECT_THAT(out_.str(), HasSubstr("change PersistentVolumeClaim prod/data-demo-0\n"
                                    "    /spec/resources/requests/storage: 1Gi -> 2Gi\n"));
  EXPECT_EQ(bench_.Get(kube::kinds::kStatefulSet, "demo").at("spec").at("replicas"), 1);
  ASSERT_EQ(Plan({"-f", "-", "-o", "json"}, Manifest("2Gi", 0)), 0);
  const Json plan = Json::parse(out_.str());
  EXPECT_EQ(plan.at("error"), "");
  EXPECT_EQ(plan.at("writes").at(0).at("verb"), "change");
  EXPECT_EQ(plan.at("writes").at(0).at("differences").size(), 1u);
}

TEST_F(PlanVerb, OfANewManifestIsComplete) {
  ASSERT_EQ(Plan({"-f", "-"}, Manifest("1Gi", 1)), 0) << error_.str();
  EXPECT_THAT(out_.str(), HasSubstr("create StatefulSet prod/demo\n"));
  EXPECT_TRUE(bench_.Cluster("demo").is_null());
}

TEST_F(PlanVerb, OfAPausedClusterShowsWhatWaits) {
  CreateReadyCluster();
  ASSERT_EQ(Run(RunPause, {"demo"}), 0);
  bench_.PatchSpec("demo", {{"service", {{"replicas", 0}}}});
  ASSERT_EQ(Plan({"demo"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("/spec/replicas: 1 -> 0"));
}

TEST_F(PlanVerb, OfADeletedClusterNamesWhatGoes) {
  bench_.CreateCluster("demo", storagecluster::EmbeddedSpec());
  ASSERT_TRUE(bench_.Converge("demo"));
  bench_.DeleteCluster("demo");
  ASSERT_EQ(Plan({"demo"}), 0) << error_.str();
  EXPECT_THAT(out_.str(), HasSubstr("delete StatefulSet prod/demo\n"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("delete PersistentVolumeClaim")));
}

TEST_F(PlanVerb, AForeignObjectInTheWayIsSaid) {
  const Json foreign = Json::parse(R"({"apiVersion": "v1", "kind": "ConfigMap", "data": {"mine": "yes"},
                                       "metadata": {"name": "demo-config", "namespace": "prod"}})");
  ASSERT_TRUE(bench_.user().Create(kube::kinds::kConfigMap, foreign, Deadline::After(std::chrono::seconds{10})).ok());
  ASSERT_EQ(Plan({"-f", "-"}, Manifest("1Gi", 1)), 0);
  EXPECT_THAT(out_.str(), HasSubstr("Ready False ObjectConflict"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("create StatefulSet")));
}

TEST_F(PlanVerb, ABadManifestIsRefusedWithItsPath) {
  EXPECT_EQ(Plan({"-f", "-"}, Manifest("much", 1)), 1);
  EXPECT_THAT(error_.str(), HasSubstr("standard input: spec.backends[0].embedded.storage.size"));
  EXPECT_EQ(Plan({"-f", "/nowhere/at/all"}), 1);
  EXPECT_EQ(Plan({"demo", "-f", "-"}, Manifest("1Gi", 1)), 2);
}

}  // namespace
}  // namespace holdfast::kubectl
