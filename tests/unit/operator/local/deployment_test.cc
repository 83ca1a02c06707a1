#include "base/time/duration.h"
#include "operator/local/workloads/deployment_controller.h"
#include "operator/local/workloads/deployment_plan.h"
#include "operator/local/workloads/pod_facts.h"
#include "operator/local/workloads/replica_set_plan.h"
#include "tests/unit/operator/local/runner_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

const Timestamp kNow = ParseTimestamp("2026-01-01T00:10:00Z").value();

Json Deployment(int replicas, const std::string& image = "i:1", Json rolling = Json::object()) {
  Json object = Json::parse(R"({"apiVersion":"apps/v1","kind":"Deployment",
    "metadata":{"name":"d","namespace":"default","uid":"d-uid","generation":1},
    "spec":{"selector":{"matchLabels":{"a":"b"}},"progressDeadlineSeconds":60,"revisionHistoryLimit":2,
      "strategy":{"type":"RollingUpdate"},
      "template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c"}]}}}})");
  object["spec"]["replicas"] = replicas;
  object["spec"]["template"]["spec"]["containers"][0]["image"] = image;
  object["spec"]["strategy"]["rollingUpdate"] = std::move(rolling);
  return object;
}

// The set of this template, with so many pods wanted, there and available.
Json SetOf(const Json& deployment, int wanted, int there, int available, int revision = 1) {
  Json set = PlanDeployment(deployment, {}, {}, kNow).new_set.value();
  set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = std::to_string(revision);
  set["metadata"]["uid"] = NameOf(set);
  set["spec"]["replicas"] = wanted;
  set["status"] = {{"replicas", there}, {"readyReplicas", available}, {"availableReplicas", available}};
  return set;
}

Json ConditionOf(const Json& status, const std::string& type) {
  for (const Json& each : ArrayAt(status, {"conditions"})) {
    if (TextAt(each, {"type"}) == type) return each;
  }
  return nullptr;
}

TEST(DeploymentPlan, BeginsWithAReplicaSetOfItsTemplate) {
  Json deployment = Deployment(3);
  DeploymentPlan plan = PlanDeployment(deployment, {}, {}, kNow);
  ASSERT_TRUE(plan.new_set);
  const Json& set = *plan.new_set;
  std::string hash = TemplateHash(deployment);
  EXPECT_EQ(NameOf(set), "d-" + hash);
  EXPECT_EQ(set["spec"]["replicas"], 3);
  EXPECT_EQ(set["spec"]["selector"]["matchLabels"]["pod-template-hash"], hash);
  EXPECT_EQ(set["spec"]["template"]["metadata"]["labels"]["pod-template-hash"], hash);
  EXPECT_EQ(set["metadata"]["ownerReferences"][0]["uid"], "d-uid");
  EXPECT_EQ(ConditionOf(plan.status, "Progressing")["reason"], "NewReplicaSetCreated");
  EXPECT_EQ(ConditionOf(plan.status, "Available")["status"], "False");
}

TEST(DeploymentPlan, ARolloutGoesUpByTheSurgeAndDownByWhatIsAvailable) {
  Json rolling = {{"maxSurge", 1}, {"maxUnavailable", 0}};
  Json old_set = SetOf(Deployment(3), 3, 3, 3);
  Json deployment = Deployment(3, "i:2", rolling);
  DeploymentPlan first = PlanDeployment(deployment, {old_set}, {}, kNow);
  ASSERT_TRUE(first.new_set);
  EXPECT_EQ((*first.new_set)["spec"]["replicas"], 1);
  EXPECT_EQ((*first.new_set)["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
  // The new pod is not available yet: nothing else moves.
  EXPECT_THAT(PlanDeployment(deployment, {old_set, SetOf(deployment, 1, 1, 0, 2)}, {}, kNow).to_scale, IsEmpty());
  EXPECT_THAT(PlanDeployment(deployment, {old_set, SetOf(deployment, 1, 1, 1, 2)}, {}, kNow).to_scale,
              ElementsAre(Pair(NameOf(old_set), 2)));
  Json fewer = SetOf(Deployment(3), 2, 2, 2);
  EXPECT_THAT(PlanDeployment(deployment, {fewer, SetOf(deployment, 1, 1, 1, 2)}, {}, kNow).to_scale,
              ElementsAre(Pair(NameOf(SetOf(deployment, 0, 0, 0)), 2)));
}

TEST(DeploymentPlan, UnavailablePodsOfTheOldTemplateGoWithoutWaiting) {
  Json deployment = Deployment(3, "i:2", {{"maxSurge", 1}, {"maxUnavailable", 0}});
  Json broken = SetOf(Deployment(3), 3, 3, 0);
  Json fresh = SetOf(deployment, 1, 1, 1, 2);
  EXPECT_THAT(PlanDeployment(deployment, {broken, fresh}, {}, kNow).to_scale, ElementsAre(Pair(NameOf(broken), 2)));
}

TEST(DeploymentPlan, SharesAreRoundedUpForTheSurgeAndDownForTheUnavailable) {
  Json rolling = {{"maxSurge", "25%"}, {"maxUnavailable", "25%"}};
  Json old_set = SetOf(Deployment(3), 3, 3, 3);
  Json deployment = Deployment(3, "i:2", rolling);
  // 0.75 of a pod: one more, none fewer.
  EXPECT_EQ((*PlanDeployment(deployment, {old_set}, {}, kNow).new_set)["spec"]["replicas"], 1);
  EXPECT_THAT(PlanDeployment(deployment, {old_set, SetOf(deployment, 1, 1, 0, 2)}, {}, kNow).to_scale, IsEmpty());
}

TEST(DeploymentPlan, RecreateWaitsUntilTheOldPodsHaveGone) {
  Json deployment = Deployment(2, "i:2");
  deployment["spec"]["strategy"] = {{"type", "Recreate"}};
  Json old_set = SetOf(Deployment(2), 2, 2, 2);
  DeploymentPlan plan = PlanDeployment(deployment, {old_set}, {}, kNow);
  EXPECT_THAT(plan.to_scale, ElementsAre(Pair(NameOf(old_set), 0)));
  old_set["spec"]["replicas"] = 0;
  Json pod = {{"metadata", {{"name", "p"}, {"deletionTimestamp", "2026-01-01T00:00:00Z"}}},
              {"status", {{"phase", "Running"}}}};
  EXPECT_FALSE(PlanDeployment(deployment, {old_set}, {pod}, kNow).new_set);
  EXPECT_EQ((*PlanDeployment(deployment, {old_set}, {}, kNow).new_set)["spec"]["replicas"], 2);
}

TEST(DeploymentPlan, ARolloutThatDoesNotProgressSaysSoAfterItsDeadline) {
  Json deployment = Deployment(1);
  Json set = SetOf(deployment, 1, 1, 0);
  deployment["status"] = PlanDeployment(deployment, {set}, {}, kNow).status;
  EXPECT_EQ(ConditionOf(deployment["status"], "Progressing")["reason"], "ReplicaSetUpdated");
  DeploymentPlan early = PlanDeployment(deployment, {set}, {}, kNow + std::chrono::seconds(59));
  EXPECT_EQ(early.status, deployment["status"]);
  EXPECT_EQ(early.look_again, kNow + std::chrono::seconds(60));
  Json late = PlanDeployment(deployment, {set}, {}, kNow + std::chrono::seconds(60)).status;
  EXPECT_EQ(ConditionOf(late, "Progressing")["status"], "False");
  EXPECT_EQ(ConditionOf(late, "Progressing")["reason"], "ProgressDeadlineExceeded");
  deployment["status"] = late;
  Json mended = PlanDeployment(deployment, {SetOf(deployment, 1, 1, 1)}, {}, kNow + std::chrono::seconds(90)).status;
  EXPECT_EQ(ConditionOf(mended, "Progressing")["reason"], "NewReplicaSetAvailable");
  EXPECT_EQ(ConditionOf(mended, "Available")["status"], "True");
}

TEST(DeploymentPlan, OldEmptySetsBeyondTheLimitAreRemoved) {
  Json deployment = Deployment(1, "i:9");
  std::vector<Json> sets{SetOf(deployment, 1, 1, 1, 5)};
  for (int i = 1; i <= 4; ++i) sets.push_back(SetOf(Deployment(1, "i:" + std::to_string(i)), 0, 0, 0, i));
  EXPECT_THAT(PlanDeployment(deployment, sets, {}, kNow).sets_to_delete, ElementsAre(NameOf(sets[1]), NameOf(sets[2])));
}

Json PodOf(const std::string& name, bool ready, const std::string& since = "2026-01-01T00:00:00Z") {
  return {
      {"metadata", {{"name", name}, {"creationTimestamp", since}, {"labels", {{"a", "b"}}}}},
      {"status",
       {{"phase", "Running"},
        {"conditions", {{{"type", "Ready"}, {"status", ready ? "True" : "False"}, {"lastTransitionTime", since}}}}}}};
}

Json ReplicaSet(int replicas) {
  Json set = SetOf(Deployment(replicas), replicas, 0, 0);
  set["spec"]["template"]["metadata"]["labels"] = {{"a", "b"}};
  return set;
}

TEST(ReplicaSetPlan, MakesWhatIsMissingAndTakesTheLeastUsefulAway) {
  EXPECT_EQ(PlanReplicaSet(ReplicaSet(3), {PodOf("p", true)}, kNow).pods.size(), 2u);
  std::vector<Json> pods{PodOf("old", true, "2026-01-01T00:00:00Z"), PodOf("young", true, "2026-01-01T00:01:00Z"),
                         PodOf("unready", false)};
  EXPECT_THAT(PlanReplicaSet(ReplicaSet(2), pods, kNow).pods_to_delete, ElementsAre("unready"));
  EXPECT_THAT(PlanReplicaSet(ReplicaSet(1), pods, kNow).pods_to_delete, ElementsAre("unready", "young"));
  pods[2]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  pods[1]["status"]["phase"] = "Failed";
  ReplicaSetPlan plan = PlanReplicaSet(ReplicaSet(2), pods, kNow);
  EXPECT_EQ(plan.pods.size(), 1u);
  EXPECT_EQ(plan.status["replicas"], 1);
  EXPECT_EQ(plan.status["readyReplicas"], 1);
}

TEST(ReplicaSetPlan, AReadyPodIsAvailableAfterItsTime) {
  Json set = ReplicaSet(1);
  set["spec"]["minReadySeconds"] = 30;
  std::vector<Json> pods{PodOf("p", true, "2026-01-01T00:10:00Z")};
  ReplicaSetPlan plan = PlanReplicaSet(set, pods, kNow + std::chrono::seconds(29));
  EXPECT_EQ(plan.status["availableReplicas"], 0);
  EXPECT_EQ(plan.look_again, kNow + std::chrono::seconds(30));
  EXPECT_EQ(PlanReplicaSet(set, pods, kNow + std::chrono::seconds(30)).status["availableReplicas"], 1);
}

class DeploymentControllerTest : public RunnerTest {
 protected:
  static constexpr const char* kDeployments = "/apis/apps/v1/namespaces/default/deployments";
  static Json Sleepers(int replicas) {
    Json deployment = Deployment(replicas);
    deployment["metadata"] = {{"name", "d"}};
    deployment["spec"]["template"]["spec"] = Pod("x", {"sleep"})["spec"];
    return deployment;
  }
  Json StatusNow() {
    Json deployment = Get(std::string(kDeployments) + "/d").body;
    return ObjectAt(deployment, {"status"});
  }
  bool IsComplete(int replicas, int generation) {
    Json status = StatusNow();
    return IntegerAt(status, {"observedGeneration"}) == generation && status["updatedReplicas"] == replicas &&
           status["replicas"] == replicas && status["availableReplicas"] == replicas;
  }

  DeploymentController controller_{api_};
};

TEST_F(DeploymentControllerTest, RunsScalesReplacesAndEndsItsPods) {
  ASSERT_EQ(Create(kDeployments, Sleepers(2)).status, 201);
  ASSERT_TRUE(Eventually([&] { return IsComplete(2, 1); })) << StatusNow();
  MergePatch(std::string(kDeployments) + "/d",
             {{"spec", {{"template", {{"metadata", {{"annotations", {{"v", "2"}}}}}}}}}});
  ASSERT_TRUE(Eventually([&] { return IsComplete(2, 2); })) << StatusNow();
  MergePatch(std::string(kDeployments) + "/d/scale", {{"spec", {{"replicas", 1}}}});
  ASSERT_TRUE(Eventually([&] { return IsComplete(1, 3); })) << StatusNow();
  Json sets = Get("/apis/apps/v1/namespaces/default/replicasets").body;
  EXPECT_EQ(sets["items"].size(), 2u);
  Delete(std::string(kDeployments) + "/d");
  EXPECT_TRUE(Eventually([&] {
    return Get(PodPath()).body["items"].empty() &&
           Get("/apis/apps/v1/namespaces/default/replicasets").body["items"].empty();
  }));
}

TEST_F(DeploymentControllerTest, IsSilentAtRest) {
  Create(kDeployments, Sleepers(1));
  ASSERT_TRUE(Eventually([&] { return IsComplete(1, 1); }));
  EXPECT_TRUE(RestsForAWhile());
}

}  // namespace
}  // namespace holdfast::local
