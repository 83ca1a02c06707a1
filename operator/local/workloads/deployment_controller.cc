#include "operator/local/workloads/deployment_controller.h"

#include "operator/local/api_server/json_access.h"
#include "operator/local/workloads/child_writer.h"
#include "operator/local/workloads/deployment_plan.h"
#include "operator/local/workloads/replica_set_plan.h"

namespace holdfast::local {
namespace {

constexpr std::string_view kDeploymentAgent = "holdfast-local-deployment";
constexpr std::string_view kReplicaSetAgent = "holdfast-local-replicaset";

std::string AppsOf(const Json& object, const char* plural) {
  return "/apis/apps/v1/namespaces/" + NamespaceOf(object) + "/" + plural;
}

}  // namespace

DeploymentController::DeploymentController(ApiServer& api, const Clock& clock)
    : api_(api), clock_(clock), loop_(api, clock, [this](const std::stop_token& stop) { return Pass(stop); }) {}

std::optional<Timestamp> DeploymentController::Pass(const std::stop_token& stop) {
  std::optional<Timestamp> next;
  Json deployments = api_.Call("GET", "/apis/apps/v1/deployments").body;
  Json sets = api_.Call("GET", "/apis/apps/v1/replicasets").body;
  if (ArrayAt(deployments, {"items"}).empty() && ArrayAt(sets, {"items"}).empty()) return next;
  Json pods = api_.Call("GET", "/api/v1/pods").body;
  for (const Json& each : ArrayAt(deployments, {"items"})) {
    if (stop.stop_requested()) return next;
    next = Sooner(next, SyncDeployment(each, sets, pods));
  }
  for (const Json& each : ArrayAt(sets, {"items"})) {
    if (stop.stop_requested()) return next;
    next = Sooner(next, SyncReplicaSet(each, pods));
  }
  return next;
}

std::optional<Timestamp> DeploymentController::SyncDeployment(const Json& deployment, const Json& sets,
                                                              const Json& pods) {
  std::vector<Json> own_sets = ControlledBy(sets, deployment);
  std::vector<Json> own_pods;
  for (const Json& set : own_sets) {
    for (Json& pod : ControlledBy(pods, set)) own_pods.push_back(std::move(pod));
  }
  DeploymentPlan plan = PlanDeployment(deployment, own_sets, own_pods, clock_.Now());
  ChildWriter writer(api_, kDeploymentAgent);
  std::string collection = AppsOf(deployment, "replicasets");
  if (plan.new_set) writer.Create(collection, *plan.new_set);
  for (const Json& set : own_sets) {
    for (const auto& [name, replicas] : plan.to_scale) {
      if (NameOf(set) == name) writer.SetReplicas(collection, set, replicas);
    }
  }
  for (const std::string& each : plan.sets_to_delete) writer.DeleteNamed(collection, each, own_sets);
  writer.SetStatus(AppsOf(deployment, "deployments"), deployment, plan.status);
  return plan.look_again;
}

std::optional<Timestamp> DeploymentController::SyncReplicaSet(const Json& set, const Json& pods) {
  std::vector<Json> own = ControlledBy(pods, set);
  ReplicaSetPlan plan = PlanReplicaSet(set, own, clock_.Now());
  ChildWriter writer(api_, kReplicaSetAgent);
  std::string collection = PodsOf(NamespaceOf(set));
  for (const Json& each : plan.pods) writer.Create(collection, each);
  for (const std::string& each : plan.pods_to_delete) writer.DeleteNamed(collection, each, own);
  writer.SetStatus(AppsOf(set, "replicasets"), set, plan.status);
  return plan.look_again;
}

}  // namespace holdfast::local
