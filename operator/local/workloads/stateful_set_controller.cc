#include "operator/local/workloads/stateful_set_controller.h"

#include "operator/local/api_server/json_access.h"
#include "operator/local/workloads/child_writer.h"
#include "operator/local/workloads/stateful_set_plan.h"

namespace holdfast::local {
namespace {

constexpr std::string_view kAgent = "holdfast-local-statefulset";
}  // namespace

StatefulSetController::StatefulSetController(ApiServer& api)
    : api_(api), loop_(api, SystemClock(), [this](const std::stop_token& stop) { return Pass(stop); }) {}

std::optional<Timestamp> StatefulSetController::Pass(const std::stop_token& stop) {
  Json sets = api_.Call("GET", "/apis/apps/v1/statefulsets").body;
  if (ArrayAt(sets, {"items"}).empty()) return std::nullopt;
  Json pods = api_.Call("GET", "/api/v1/pods").body;
  Json claims = api_.Call("GET", "/api/v1/persistentvolumeclaims").body;
  for (const Json& set : ArrayAt(sets, {"items"})) {
    if (stop.stop_requested()) break;
    Sync(set, pods, ArrayAt(claims, {"items"}));
  }
  return std::nullopt;
}

void StatefulSetController::Sync(const Json& set, const Json& pods, const Json& claims) {
  std::string ns = NamespaceOf(set);
  std::vector<Json> own_pods = ControlledBy(pods, set);
  std::vector<Json> own_claims;
  for (const Json& claim : claims) {
    if (NamespaceOf(claim) == ns) own_claims.push_back(claim);
  }
  StatefulSetPlan plan = PlanStatefulSet(set, own_pods, own_claims);
  ChildWriter writer(api_, kAgent);
  for (const Json& each : plan.claims) writer.Create("/api/v1/namespaces/" + ns + "/persistentvolumeclaims", each);
  for (const Json& each : plan.pods) writer.Create(PodsOf(ns), each);
  for (const std::string& each : plan.pods_to_delete) writer.DeleteNamed(PodsOf(ns), each, own_pods);
  writer.SetStatus("/apis/apps/v1/namespaces/" + ns + "/statefulsets", set, plan.status);
}

}  // namespace holdfast::local
