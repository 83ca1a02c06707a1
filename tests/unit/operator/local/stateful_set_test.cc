#include "operator/local/workloads/stateful_set_controller.h"
#include "operator/local/workloads/stateful_set_plan.h"
#include "tests/unit/operator/local/runner_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

Json Set(int replicas, const std::string& image = "i:1", const std::string& policy = "OrderedReady") {
  Json set = Json::parse(R"({"apiVersion":"apps/v1","kind":"StatefulSet",
    "metadata":{"name":"s","namespace":"default","uid":"set-uid","generation":3},
    "spec":{"serviceName":"s","selector":{"matchLabels":{"a":"b"}},
      "template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c"}]}},
      "volumeClaimTemplates":[{"metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"]}}]}})");
  set["spec"]["replicas"] = replicas;
  set["spec"]["podManagementPolicy"] = policy;
  set["spec"]["template"]["spec"]["containers"][0]["image"] = image;
  return set;
}

Json PodOf(const Json& set, int ordinal, bool ready) {
  return {
      {"metadata",
       {{"name", "s-" + std::to_string(ordinal)}, {"labels", {{"controller-revision-hash", TemplateRevision(set)}}}}},
      {"status", {{"phase", "Running"}, {"conditions", {{{"type", "Ready"}, {"status", ready ? "True" : "False"}}}}}}};
}

std::vector<std::string> NamesOf(const std::vector<Json>& objects) {
  std::vector<std::string> names;
  for (const Json& each : objects) names.push_back(NameOf(each));
  return names;
}

using testing::ElementsAre;
using testing::IsEmpty;

TEST(StatefulSetPlan, BeginsWithTheFirstPodAndItsClaim) {
  StatefulSetPlan plan = PlanStatefulSet(Set(3), {}, {});
  ASSERT_THAT(NamesOf(plan.pods), ElementsAre("s-0"));
  EXPECT_THAT(NamesOf(plan.claims), ElementsAre("data-s-0"));
  const Json& pod = plan.pods[0];
  EXPECT_EQ(pod["spec"]["volumes"],
            Json::parse(R"([{"name":"data","persistentVolumeClaim":{"claimName":"data-s-0"}}])"));
  EXPECT_EQ(pod["metadata"]["ownerReferences"][0]["uid"], "set-uid");
  EXPECT_EQ(pod["metadata"]["labels"]["a"], "b");
  EXPECT_EQ(pod["spec"]["hostname"], "s-0");
  EXPECT_FALSE(plan.claims[0]["metadata"].contains("ownerReferences"));
  EXPECT_EQ(plan.status["observedGeneration"], 3);
}

TEST(StatefulSetPlan, TheNextPodWaitsUntilTheOneBeforeIsReady) {
  Json set = Set(2);
  EXPECT_THAT(PlanStatefulSet(set, {PodOf(set, 0, false)}, {}).pods, IsEmpty());
  EXPECT_THAT(NamesOf(PlanStatefulSet(set, {PodOf(set, 0, true)}, {}).pods), ElementsAre("s-1"));
}

TEST(StatefulSetPlan, ParallelPodsComeAndGoTogether) {
  Json set = Set(3, "i:1", "Parallel");
  EXPECT_THAT(NamesOf(PlanStatefulSet(set, {PodOf(set, 1, false)}, {}).pods), ElementsAre("s-0", "s-2"));
  Json fewer = Set(0, "i:1", "Parallel");
  EXPECT_THAT(PlanStatefulSet(fewer, {PodOf(set, 0, true), PodOf(set, 1, true)}, {}).pods_to_delete,
              ElementsAre("s-1", "s-0"));
}

TEST(StatefulSetPlan, ScalesDownFromTheTopOneByOne) {
  Json set = Set(1);
  std::vector<Json> pods{PodOf(set, 0, true), PodOf(set, 1, true), PodOf(set, 2, true)};
  EXPECT_THAT(PlanStatefulSet(set, pods, {}).pods_to_delete, ElementsAre("s-2"));
  pods[2]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  EXPECT_THAT(PlanStatefulSet(set, pods, {}).pods_to_delete, IsEmpty());
}

TEST(StatefulSetPlan, RollsANewTemplateOutFromTheTopWhileAllAreReady) {
  Json old_set = Set(2);
  Json set = Set(2, "i:2");
  EXPECT_THAT(PlanStatefulSet(set, {PodOf(old_set, 0, true), PodOf(old_set, 1, true)}, {}).pods_to_delete,
              ElementsAre("s-1"));
  EXPECT_THAT(PlanStatefulSet(set, {PodOf(old_set, 0, true), PodOf(set, 1, false)}, {}).pods_to_delete, IsEmpty());
  EXPECT_THAT(PlanStatefulSet(set, {PodOf(old_set, 0, true), PodOf(set, 1, true)}, {}).pods_to_delete,
              ElementsAre("s-0"));
  set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = 1;
  EXPECT_THAT(PlanStatefulSet(set, {PodOf(old_set, 0, true), PodOf(set, 1, true)}, {}).pods_to_delete, IsEmpty());
}

TEST(StatefulSetPlan, TheCurrentRevisionFollowsWhenTheRolloutIsComplete) {
  Json old_set = Set(1);
  Json set = Set(1, "i:2");
  set["status"]["currentRevision"] = TemplateRevision(old_set);
  Json during = PlanStatefulSet(set, {PodOf(old_set, 0, true)}, {}).status;
  EXPECT_EQ(during["currentRevision"], TemplateRevision(old_set));
  EXPECT_EQ(during["updateRevision"], TemplateRevision(set));
  EXPECT_EQ(during["updatedReplicas"], 0);
  EXPECT_EQ(during["currentReplicas"], 1);
  Json after = PlanStatefulSet(set, {PodOf(set, 0, true)}, {}).status;
  EXPECT_EQ(after["currentRevision"], TemplateRevision(set));
  EXPECT_EQ(after["readyReplicas"], 1);
}

TEST(StatefulSetPlan, APodNeverInheritsAClaimThatIsBeingDeleted) {
  Json claim = {{"metadata", {{"name", "data-s-0"}, {"deletionTimestamp", "2026-01-01T00:00:00Z"}}}};
  StatefulSetPlan plan = PlanStatefulSet(Set(1), {}, {claim});
  EXPECT_THAT(plan.pods, IsEmpty());
  EXPECT_THAT(plan.claims, IsEmpty());
}

TEST(StatefulSetPlan, ASetThatIsBeingDeletedIsLeftToTheGarbageCollector) {
  Json set = Set(2);
  set["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  EXPECT_THAT(PlanStatefulSet(set, {}, {}).pods, IsEmpty());
}

class StatefulSetControllerTest : public RunnerTest {
 protected:
  static constexpr const char* kSets = "/apis/apps/v1/namespaces/default/statefulsets";
  Json Sleepers(int replicas) {
    Json set = Set(replicas);
    set["metadata"] = {{"name", "s"}};
    Json pod = Pod("x", {"sleep"});
    set["spec"]["template"]["spec"] = pod["spec"];
    set["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = {{{"name", "data"}, {"mountPath", "/data"}}};
    return set;
  }
  std::int64_t Ready() { return IntegerAt(Get(std::string(kSets) + "/s").body, {"status", "readyReplicas"}); }

  StatefulSetController controller_{api_};
};

TEST_F(StatefulSetControllerTest, BringsASetUpAndDownAndKeepsItsData) {
  ASSERT_EQ(Create(kSets, Sleepers(2)).status, 201);
  ASSERT_TRUE(Eventually([&] { return Ready() == 2; }));
  std::filesystem::path file = root_ / "volumes" / "default" / "data-s-1" / "file";
  std::ofstream(file) << "kept";
  pid_t pid = PidOf("s-1");
  MergePatch(std::string(kSets) + "/s", {{"spec", {{"replicas", 1}}}});
  ASSERT_TRUE(Vanishes(PodPath("s-1")));
  EXPECT_FALSE(ProcessExists(pid));
  pid = PidOf("s-0");
  Delete(std::string(kSets) + "/s");
  ASSERT_TRUE(Vanishes(PodPath("s-0")));
  EXPECT_FALSE(ProcessExists(pid));
  Create(kSets, Sleepers(2));
  ASSERT_TRUE(Eventually([&] { return Ready() == 2; }));
  EXPECT_EQ(FileText(file), "kept");
}

TEST_F(StatefulSetControllerTest, ATemplateChangeReplacesEveryPod) {
  Create(kSets, Sleepers(2));
  ASSERT_TRUE(Eventually([&] { return Ready() == 2; }));
  std::string before = UidOf(Get(PodPath("s-0")).body);
  MergePatch(std::string(kSets) + "/s", {{"spec", {{"template", {{"metadata", {{"annotations", {{"v", "2"}}}}}}}}}});
  ASSERT_TRUE(Eventually([&] {
    Json status = Get(std::string(kSets) + "/s").body["status"];
    return IntegerAt(status, {"observedGeneration"}) == 2 && IntegerAt(status, {"updatedReplicas"}) == 2 &&
           IntegerAt(status, {"readyReplicas"}) == 2 && status["currentRevision"] == status["updateRevision"];
  }));
  EXPECT_NE(UidOf(Get(PodPath("s-0")).body), before);
}

TEST_F(StatefulSetControllerTest, IsSilentAtRest) {
  Create(kSets, Sleepers(1));
  ASSERT_TRUE(Eventually([&] { return Ready() == 1; }));
  EXPECT_TRUE(RestsForAWhile());
}

}  // namespace
}  // namespace holdfast::local
