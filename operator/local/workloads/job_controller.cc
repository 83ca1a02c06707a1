#include "operator/local/workloads/job_controller.h"

#include "operator/local/api_server/json_access.h"
#include "operator/local/workloads/child_writer.h"
#include "operator/local/workloads/job_plan.h"

namespace holdfast::local {
namespace {

constexpr std::string_view kAgent = "holdfast-local-job";

}  // namespace

JobController::JobController(ApiServer& api, const Clock& clock)
    : api_(api), clock_(clock), loop_(api, clock, [this](const std::stop_token& stop) { return Pass(stop); }) {}

std::optional<Timestamp> JobController::Pass(const std::stop_token& stop) {
  std::optional<Timestamp> next;
  Json jobs = api_.Call("GET", "/apis/batch/v1/jobs").body;
  if (ArrayAt(jobs, {"items"}).empty()) return next;
  Json pods = api_.Call("GET", "/api/v1/pods").body;
  for (const Json& each : ArrayAt(jobs, {"items"})) {
    if (stop.stop_requested()) return next;
    next = Sooner(next, Sync(each, pods));
  }
  return next;
}

std::optional<Timestamp> JobController::Sync(const Json& job, const Json& pods) {
  std::vector<Json> own = ControlledBy(pods, job);
  JobPlan plan = PlanJob(job, own, clock_.Now());
  ChildWriter writer(api_, kAgent);
  std::string collection = PodsOf(NamespaceOf(job));
  for (const Json& each : plan.pods) writer.Create(collection, each);
  for (const std::string& each : plan.pods_to_delete) writer.DeleteNamed(collection, each, own);
  std::string jobs = "/apis/batch/v1/namespaces/" + NamespaceOf(job) + "/jobs";
  if (plan.delete_job) {
    writer.Delete(jobs, job);
  } else {
    writer.SetStatus(jobs, job, plan.status);
  }
  return plan.look_again;
}

}  // namespace holdfast::local
