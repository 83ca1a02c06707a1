#include "operator/controllers/storagecluster/status.h"

#include <chrono>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/controllers/storagecluster/pod_problem.h"

namespace holdfast::storagecluster {
namespace {

using ::testing::HasSubstr;

class StatusTest : public ::testing::Test {
 protected:
  StatusTest() {
    cluster_ = Json::parse(R"({
      "apiVersion": "storage.holdfast.dev/v1", "kind": "StorageCluster",
      "metadata": {"name": "demo", "namespace": "prod", "uid": "u-1", "generation": 4},
      "spec": {"backends": [{"name": "local", "embedded": {"storage": {"size": "1Gi"}}}, {"name": "hot", "memory": {}}],
               "stores": [{"name": "main", "backend": "local"}, {"name": "hot", "backend": "hot"}],
               "defaultStore": "hot"}})");
    findings_.cluster = api::ParseStorageCluster(cluster_).cluster;
    SetStatefulSet(R"({"observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1})");
  }

  void SetStatefulSet(const char* status) {
    Json set = Json::parse(R"({"metadata": {"name": "demo", "namespace": "prod", "generation": 2,
                                            "ownerReferences": [{"controller": true, "uid": "u-1"}]}})");
    set["status"] = Json::parse(status);
    findings_.observed.children = {{kube::kinds::kStatefulSet, set}};
  }

  Json Compute() { return ComputeStatus(cluster_, findings_, Timestamp{std::chrono::seconds{1'700'000'000}}); }

  std::string ConditionOf(const std::string& type) {
    const Json status = Compute();
    for (const Json& condition : status.at("conditions")) {
      if (condition.at("type") != type) continue;
      EXPECT_EQ(condition.at("observedGeneration"), 4);
      EXPECT_FALSE(condition.at("message").get<std::string>().empty());
      return condition.at("status").get<std::string>() + " " + condition.at("reason").get<std::string>();
    }
    return "";
  }

  std::string MessageOf(const std::string& type) {
    const Json status = Compute();
    for (const Json& condition : status.at("conditions")) {
      if (condition.at("type") == type) return condition.at("message").get<std::string>();
    }
    return "";
  }

  Json cluster_;
  Findings findings_;
};

TEST_F(StatusTest, ReadyWhenEverythingIsThere) {
  EXPECT_EQ(ConditionOf("Ready"), "True Available");
  const Json status = Compute();
  EXPECT_EQ(status.at("stores"), "hot,main");
  EXPECT_EQ(status.at("selector"), "app.kubernetes.io/component=state-service,storage.holdfast.dev/cluster=demo");
  EXPECT_EQ(status.at("backends").at(0), Json::parse(R"({"name": "local", "type": "embedded"})"));
  EXPECT_EQ(status.at("backends").at(1), Json::parse(R"({"name": "hot", "type": "memory"})"));
}

TEST_F(StatusTest, NeverReadyOnWhatIsOldOrHalf) {
  for (const char* status :
       {R"({"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1})",
        R"({"observedGeneration": 2, "replicas": 1, "readyReplicas": 0, "updatedReplicas": 1})",
        R"({"observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 0})",
        R"({"observedGeneration": 2, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 1})", "{}"}) {
    SetStatefulSet(status);
    EXPECT_EQ(ConditionOf("Ready"), "False RollingOut") << status;
    EXPECT_EQ(ConditionOf("Progressing"), "True RollingOut") << status;
  }
  findings_.observed.children.clear();
  EXPECT_EQ(ConditionOf("Ready"), "False RollingOut");
}

TEST_F(StatusTest, NotReadyWhileWorkIsLeftOrRefused) {
  findings_.unfinished = true;
  EXPECT_EQ(ConditionOf("Ready"), "False RollingOut");
  findings_.refused = Problem{"ApplyFailed", "StatefulSet prod/demo was refused"};
  EXPECT_EQ(ConditionOf("Ready"), "False ApplyFailed");
  EXPECT_EQ(ConditionOf("Progressing"), "False Blocked");
  EXPECT_EQ(ConditionOf("Degraded"), "True ApplyFailed");
}

TEST_F(StatusTest, AnotherClustersStatefulSetIsNotCounted) {
  findings_.observed.children[0].object["metadata"]["ownerReferences"][0]["uid"] = "u-0";
  findings_.blocked = Problem{"ObjectConflict", "in the way"};
  EXPECT_EQ(Compute().at("replicas"), 0);
}

TEST_F(StatusTest, AnInvalidSpecKeepsWhatIsKnownAndSaysWhy) {
  cluster_["status"] = Compute();
  findings_.cluster.reset();
  findings_.invalid = Problem{"InvalidSpec", "spec.stores: is required"};
  const Json status = Compute();
  EXPECT_EQ(status.at("endpoint"), "http://demo.prod.svc:8080");
  EXPECT_EQ(status.at("readyReplicas"), 1);
  EXPECT_EQ(ConditionOf("Ready"), "False InvalidSpec");
}

TEST_F(StatusTest, APodThatSaysWhyItFailsIsNamedBeforeThoseThatFailForIt) {
  const auto failing = [](const char* name, const char* words) {
    Json pod = {{"metadata", {{"name", name}, {"namespace", "prod"}}}};
    Json ended = {{"reason", "Error"}};
    if (*words != '\0') ended["message"] = words;
    pod["status"]["containerStatuses"] =
        Json::array({{{"name", "one"},
                      {"state", {{"waiting", {{"reason", "CrashLoopBackOff"}, {"message", "back-off"}}}}},
                      {"lastState", {{"terminated", std::move(ended)}}}}});
    return pod;
  };
  const std::vector<Json> pods = {failing("demo-db-0", ""), failing("demo-db-source-0", "cannot be read\nask\n")};
  EXPECT_EQ(PodProblem(pods)->message,
            "Pod prod/demo-db-source-0, container one: CrashLoopBackOff: cannot be read ask");
  EXPECT_EQ(PodProblem({pods[0]})->message,
            "Pod prod/demo-db-0, container one: CrashLoopBackOff: back-off (ended before with Error)");
}

TEST_F(StatusTest, FailingPodsAreNamed) {
  SetStatefulSet(R"({"observedGeneration": 2, "replicas": 1})");
  findings_.observed.pods = {Json::parse(R"({
    "metadata": {"name": "demo-0", "namespace": "prod"},
    "status": {"containerStatuses": [{"name": "service", "state": {"waiting": {
      "reason": "ImagePullBackOff", "message": "no such image"}}}]}})")};
  EXPECT_EQ(ConditionOf("Degraded"), "True PodFailing");
  EXPECT_THAT(PodProblem(findings_.observed.pods)->message,
              HasSubstr("Pod prod/demo-0, container service: ImagePullBackOff: no such image"));
  findings_.observed.pods = {Json::parse(R"({
    "metadata": {"name": "demo-0", "namespace": "prod"},
    "status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                               "message": "0/1 nodes are available"}]}})")};
  EXPECT_THAT(PodProblem(findings_.observed.pods)->message, HasSubstr("finds no node: 0/1 nodes are available"));
  findings_.observed.pods = {Json::parse(R"({"status": {"containerStatuses": [{"state": {"waiting": {
    "reason": "ContainerCreating"}}}]}})")};
  EXPECT_EQ(PodProblem(findings_.observed.pods), std::nullopt);
}

TEST_F(StatusTest, AClaimThatNobodyProvidesForIsNamed) {
  SetStatefulSet(R"({"observedGeneration": 2, "replicas": 1})");
  Json claim = Json::parse(R"({"metadata": {"name": "data-demo-0", "namespace": "prod"}, "spec": {},
                               "status": {"phase": "Pending"}})");
  findings_.observed.claims = {claim};
  EXPECT_EQ(ConditionOf("Degraded"), "True NoStorageClass");
  EXPECT_THAT(MessageOf("Degraded"), HasSubstr("prod/data-demo-0 gets no volume"));
  claim["spec"]["storageClassName"] = "slow";  // its volume comes with the pod
  findings_.observed.claims = {claim};
  EXPECT_EQ(ConditionOf("Degraded"), "False AsExpected");
  claim["spec"].erase("storageClassName");
  claim["status"]["phase"] = "Bound";
  findings_.observed.claims = {claim};
  EXPECT_EQ(ConditionOf("Degraded"), "False AsExpected");
}

TEST_F(StatusTest, ComputingItAgainChangesNothing) {
  const Json first = Compute();
  cluster_["status"] = first;
  EXPECT_EQ(ComputeStatus(cluster_, findings_, Timestamp{std::chrono::seconds{1'800'000'000}}), first);
}

TEST_F(StatusTest, ConditionsOfOthersStay) {
  cluster_["status"]["conditions"] = Json::parse(
      R"([{"type": "Mine", "status": "True", "reason": "R", "message": "m", "observedGeneration": 1,
           "lastTransitionTime": "2023-01-01T00:00:00Z"}])");
  EXPECT_EQ(Compute().at("conditions").at(0).at("type"), "Mine");
}

}  // namespace
}  // namespace holdfast::storagecluster
