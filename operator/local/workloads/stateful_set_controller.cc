#include "operator/local/workloads/stateful_set_controller.h"

#include "base/log/log.h"
#include "operator/local/api_server/json_access.h"
#include "operator/local/workloads/stateful_set_plan.h"

namespace holdfast::local {
namespace {

constexpr std::string_view kAgent = "holdfast-local-statefulset";
// How late a stop may be noticed; changes are noticed at once.
constexpr std::chrono::milliseconds kPoll{50};

// What fails because something changed meanwhile comes round with that change; the rest is worth a line.
void Report(const char* what, const std::string& name, const ApiServer::Reply& reply) {
  if (reply.ok() || reply.status == 404 || reply.status == 409) return;
  log::Warn(what, {{"object", name}, {"error", TextAt(reply.body, {"message"})}});
}

bool ControlledBy(const Json& pod, const std::string& uid) {
  for (const Json& owner : ArrayAt(pod, {"metadata", "ownerReferences"})) {
    if (BoolAt(owner, {"controller"}) && TextAt(owner, {"uid"}) == uid) return true;
  }
  return false;
}

}  // namespace

StatefulSetController::StatefulSetController(ApiServer& api)
    : api_(api), thread_([this](std::stop_token stop) { Run(stop); }) {}

StatefulSetController::~StatefulSetController() = default;

void StatefulSetController::Run(std::stop_token stop) {
  std::uint64_t seen = 0;
  while (!stop.stop_requested()) {
    std::uint64_t now = api_.WaitBeyond(seen, kPoll);
    if (now == seen) continue;
    seen = now;
    Pass(stop);
  }
}

void StatefulSetController::Pass(std::stop_token stop) {
  Json sets = api_.Call("GET", "/apis/apps/v1/statefulsets").body;
  if (ArrayAt(sets, {"items"}).empty()) return;
  Json pods = api_.Call("GET", "/api/v1/pods").body;
  Json claims = api_.Call("GET", "/api/v1/persistentvolumeclaims").body;
  for (const Json& set : ArrayAt(sets, {"items"})) {
    if (stop.stop_requested()) return;
    Sync(set, ArrayAt(pods, {"items"}), ArrayAt(claims, {"items"}));
  }
}

void StatefulSetController::Sync(const Json& set, const Json& pods, const Json& claims) {
  std::string ns = NamespaceOf(set);
  std::string name = NameOf(set);
  std::vector<Json> own_pods;
  std::vector<Json> own_claims;
  for (const Json& pod : pods) {
    if (NamespaceOf(pod) == ns && ControlledBy(pod, UidOf(set))) own_pods.push_back(pod);
  }
  for (const Json& claim : claims) {
    if (NamespaceOf(claim) == ns) own_claims.push_back(claim);
  }
  StatefulSetPlan plan = PlanStatefulSet(set, own_pods, own_claims);
  std::string home = "/api/v1/namespaces/" + ns;
  for (const Json& claim : plan.claims) {
    Report("a volume claim could not be created", NameOf(claim),
           api_.Call("POST", home + "/persistentvolumeclaims", claim, "", kAgent));
  }
  for (const Json& pod : plan.pods) {
    Report("a pod could not be created", NameOf(pod), api_.Call("POST", home + "/pods", pod, "", kAgent));
  }
  for (const std::string& pod : plan.pods_to_delete) {
    Report("a pod could not be deleted", pod, api_.Call("DELETE", home + "/pods/" + pod, nullptr, "", kAgent));
  }
  if (ObjectAt(set, {"status"}) == plan.status) return;
  Json patch = {{"metadata", {{"resourceVersion", TextAt(set, {"metadata", "resourceVersion"})}}},
                {"status", plan.status}};
  Report("the status of a StatefulSet could not be written", name,
         api_.Call("PATCH", "/apis/apps/v1/namespaces/" + ns + "/statefulsets/" + name + "/status", patch,
                   "application/merge-patch+json", kAgent));
}

}  // namespace holdfast::local
