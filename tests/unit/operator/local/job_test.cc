#include "base/time/duration.h"
#include "operator/local/workloads/job_controller.h"
#include "operator/local/workloads/job_plan.h"
#include "tests/unit/operator/local/runner_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

const Timestamp kNow = ParseTimestamp("2026-01-01T00:10:00Z").value();

Json Job(Json more = Json::object()) {
  Json job = Json::parse(R"({"apiVersion":"batch/v1","kind":"Job",
    "metadata":{"name":"j","namespace":"default","uid":"j-uid"},
    "spec":{"template":{"metadata":{"labels":{"a":"b"}},"spec":{"restartPolicy":"Never","containers":[{"name":"c"}]}}}})");
  job["spec"].update(more);
  return job;
}

Json PodIn(const std::string& phase, const std::string& finished = "2026-01-01T00:10:00Z") {
  return {{"metadata", {{"name", "p-" + phase}}},
          {"status",
           {{"phase", phase},
            {"containerStatuses", {{{"restartCount", 0}, {"state", {{"terminated", {{"finishedAt", finished}}}}}}}}}}};
}

Json LastCondition(const Json& status) {
  const Json& conditions = ArrayAt(status, {"conditions"});
  return conditions.empty() ? Json() : conditions.back();
}

TEST(JobPlan, StartsAPodAndIsCompleteWhenItSucceeds) {
  JobPlan plan = PlanJob(Job(), {}, kNow);
  ASSERT_EQ(plan.pods.size(), 1u);
  EXPECT_TRUE(NameOf(plan.pods[0]).starts_with("j-"));
  EXPECT_EQ(plan.pods[0]["metadata"]["ownerReferences"][0]["kind"], "Job");
  EXPECT_EQ(plan.status["startTime"], "2026-01-01T00:10:00Z");
  EXPECT_EQ(plan.status["active"], 1);
  JobPlan done = PlanJob(Job(), {PodIn("Succeeded")}, kNow);
  EXPECT_THAT(done.pods, IsEmpty());
  EXPECT_EQ(done.status["succeeded"], 1);
  EXPECT_EQ(done.status["completionTime"], "2026-01-01T00:10:00Z");
  EXPECT_EQ(LastCondition(done.status)["type"], "Complete");
}

TEST(JobPlan, RunsAsManyAtOnceAsItMayUntilAllAreComplete) {
  Json job = Job({{"parallelism", 2}, {"completions", 3}});
  EXPECT_EQ(PlanJob(job, {}, kNow).pods.size(), 2u);
  EXPECT_EQ(PlanJob(job, {PodIn("Succeeded"), PodIn("Succeeded")}, kNow).pods.size(), 1u);
  EXPECT_EQ(LastCondition(PlanJob(job, {PodIn("Succeeded"), PodIn("Succeeded")}, kNow).status), nullptr);
}

TEST(JobPlan, FailuresAreRetriedWithADelayThatDoublesUntilTheLimit) {
  Json job = Job({{"backoffLimit", 2}});
  JobPlan waiting = PlanJob(job, {PodIn("Failed")}, kNow + seconds(9));
  EXPECT_THAT(waiting.pods, IsEmpty());
  EXPECT_EQ(waiting.look_again, kNow + seconds(10));
  EXPECT_EQ(PlanJob(job, {PodIn("Failed")}, kNow + seconds(10)).pods.size(), 1u);
  EXPECT_THAT(PlanJob(job, {PodIn("Failed"), PodIn("Failed")}, kNow + seconds(19)).pods, IsEmpty());
  EXPECT_EQ(PlanJob(job, {PodIn("Failed"), PodIn("Failed")}, kNow + seconds(20)).pods.size(), 1u);
  JobPlan lost = PlanJob(job, {PodIn("Failed"), PodIn("Failed"), PodIn("Failed")}, kNow);
  EXPECT_EQ(LastCondition(lost.status)["type"], "Failed");
  EXPECT_EQ(LastCondition(lost.status)["reason"], "BackoffLimitExceeded");
  EXPECT_EQ(lost.status["failed"], 3);
}

TEST(JobPlan, AnExitCodeMayMeanThatAnotherTryIsUseless) {
  Json job = Job(Json::parse(R"({"podFailurePolicy":{"rules":[
    {"action":"FailJob","onExitCodes":{"containerName":"c","operator":"In","values":[2,3]}},
    {"action":"Ignore","onExitCodes":{"operator":"In","values":[9]}}]}})"));
  Json pod = PodIn("Failed");
  pod["status"]["containerStatuses"][0]["name"] = "c";
  Json& code = pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"];
  code = 1;
  EXPECT_EQ(PlanJob(job, {pod}, kNow).status["failed"], 1);
  code = 9;
  EXPECT_EQ(PlanJob(job, {pod}, kNow).status["failed"], 0);
  code = 3;
  Json lost = LastCondition(PlanJob(job, {pod}, kNow).status);
  EXPECT_EQ(lost["reason"], "PodFailurePolicy");
  EXPECT_THAT(lost["message"].get<std::string>(),
              testing::HasSubstr("failed with exit code 3 matching FailJob rule at index 0"));
}

TEST(JobPlan, RestartsInPlaceCountAsFailures) {
  Json job = Job({{"backoffLimit", 2}});
  job["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure";
  Json pod = PodIn("Running");
  pod["status"]["containerStatuses"][0]["restartCount"] = 1;
  EXPECT_EQ(LastCondition(PlanJob(job, {pod}, kNow).status), nullptr);
  pod["status"]["containerStatuses"][0]["restartCount"] = 2;
  JobPlan plan = PlanJob(job, {pod}, kNow);
  EXPECT_EQ(LastCondition(plan.status)["reason"], "BackoffLimitExceeded");
  EXPECT_THAT(plan.pods_to_delete, ElementsAre("p-Running"));
}

TEST(JobPlan, IsEndedAtItsDeadline) {
  Json job = Job({{"activeDeadlineSeconds", 30}});
  job["status"] = {{"startTime", "2026-01-01T00:10:00Z"}};
  JobPlan before = PlanJob(job, {PodIn("Running")}, kNow + seconds(29));
  EXPECT_THAT(before.pods_to_delete, IsEmpty());
  EXPECT_EQ(before.look_again, kNow + seconds(30));
  JobPlan after = PlanJob(job, {PodIn("Running")}, kNow + seconds(30));
  EXPECT_THAT(after.pods_to_delete, ElementsAre("p-Running"));
  EXPECT_EQ(LastCondition(after.status)["reason"], "DeadlineExceeded");
  EXPECT_EQ(after.status["active"], 0);
}

TEST(JobPlan, AFinishedJobStaysAsItIsAndGoesAfterItsTime) {
  Json job = Job({{"ttlSecondsAfterFinished", 60}});
  job["status"] = PlanJob(job, {PodIn("Succeeded")}, kNow).status;
  JobPlan kept = PlanJob(job, {}, kNow + seconds(59));
  EXPECT_EQ(kept.status, job["status"]);
  EXPECT_THAT(kept.pods, IsEmpty());
  EXPECT_FALSE(kept.delete_job);
  EXPECT_EQ(kept.look_again, kNow + seconds(60));
  EXPECT_TRUE(PlanJob(job, {}, kNow + seconds(60)).delete_job);
}

class JobControllerTest : public RunnerTest {
 protected:
  static constexpr const char* kJobs = "/apis/batch/v1/namespaces/default/jobs";
  Json Running(const char* status, Json more) {
    Json job = Job(more);
    job["metadata"] = {{"name", "j"}};
    job["spec"]["template"]["spec"] = Pod("x", {"exit", status})["spec"];
    job["spec"]["template"]["spec"]["restartPolicy"] = "Never";
    return job;
  }
  std::string Outcome() {
    Json job = Get(std::string(kJobs) + "/j").body;
    return TextAt(LastCondition(ObjectAt(job, {"status"})), {"type"});
  }

  JobController controller_{api_};
};

TEST_F(JobControllerTest, RunsItsProgramToASuccess) {
  ASSERT_EQ(Create(kJobs, Running("0", Json::object())).status, 201);
  EXPECT_TRUE(Eventually([&] { return Outcome() == "Complete"; }));
  Json pods = Get(PodPath()).body;
  ASSERT_EQ(pods["items"].size(), 1u);
  EXPECT_EQ(pods["items"][0]["metadata"]["labels"]["job-name"], "j");
}

TEST_F(JobControllerTest, ToldAsFailedWithoutASecondTry) {
  ASSERT_EQ(Create(kJobs, Running("3", {{"backoffLimit", 0}})).status, 201);
  EXPECT_TRUE(Eventually([&] { return Outcome() == "Failed"; }));
  Json pods = Get(PodPath()).body;
  ASSERT_EQ(pods["items"].size(), 1u);
  EXPECT_EQ(pods["items"][0]["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 3);
}

TEST_F(JobControllerTest, DisappearsWithItsPodsAfterItsTime) {
  ASSERT_EQ(Create(kJobs, Running("0", {{"ttlSecondsAfterFinished", 0}})).status, 201);
  EXPECT_TRUE(Vanishes(std::string(kJobs) + "/j"));
  EXPECT_TRUE(Eventually([&] { return Get(PodPath()).body["items"].empty(); }));
}

}  // namespace
}  // namespace holdfast::local
