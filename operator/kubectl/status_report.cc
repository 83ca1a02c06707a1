#include "operator/kubectl/status_report.h"

#include <algorithm>
#include <tuple>

#include "operator/api/v1/annotations.h"
#include "operator/controllers/storagecluster/pod_problem.h"
#include "operator/resources/names.h"

namespace holdfast::kubectl {
namespace {

using kube::Json;

// The last of them; a cluster in trouble has a long tail of the same.
constexpr std::size_t kMostEvents = 8;

const Json* At(const Json& object, const char* pointer) {
  const Json::json_pointer path(pointer);
  return object.contains(path) ? &object.at(path) : nullptr;
}

Json ValueAt(const Json& object, const char* pointer, const Json& otherwise) {
  const Json* value = At(object, pointer);
  return value == nullptr ? otherwise : *value;
}

Json HeadOf(const Json& cluster) {
  const kube::ObjectKey key = kube::KeyOf(cluster);
  Json head = {{"namespace", key.ns},
               {"name", key.name},
               {"created", kube::StringAt(cluster, "/metadata/creationTimestamp")},
               {"generation", kube::GenerationOf(cluster)},
               {"observedGeneration", ValueAt(cluster, "/status/observedGeneration", 0)},
               {"paused", api::IsPaused(cluster)},
               {"deleting", kube::IsBeingDeleted(cluster)},
               {"replicas", ValueAt(cluster, "/spec/service/replicas", 1)},
               {"readyReplicas", ValueAt(cluster, "/status/readyReplicas", 0)},
               {"endpoint", kube::StringAt(cluster, "/status/endpoint")},
               {"stores", kube::StringAt(cluster, "/status/stores")},
               {"conditions", ValueAt(cluster, "/status/conditions", Json::array())}};
  return head;
}

Json PodRow(const Json& pod) {
  std::int64_t ready = 0;
  std::int64_t restarts = 0;
  std::string state = kube::IsBeingDeleted(pod) ? "Terminating" : kube::StringAt(pod, "/status/phase");
  const Json containers = ValueAt(pod, "/status/containerStatuses", Json::array());
  for (const Json& container : containers) {
    if (container.value("ready", false)) ++ready;
    restarts += container.value("restartCount", 0);
    const std::string waiting = kube::StringAt(container, "/state/waiting/reason");
    if (!waiting.empty()) state = waiting;
  }
  // Patroni's label goes before ours: it says what a server is just now.
  std::string role = kube::LabelOf(pod, "role");
  if (role.empty()) role = kube::LabelOf(pod, "app.kubernetes.io/component");
  return {{"name", kube::KeyOf(pod).name},
          {"role", role},
          {"ready", ready},
          {"containers", containers.size()},
          {"restarts", restarts},
          {"state", state},
          {"node", kube::StringAt(pod, "/spec/nodeName")}};
}

std::string EventTime(const Json& event) {
  for (const char* pointer : {"/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"}) {
    if (std::string time = kube::StringAt(event, pointer); !time.empty()) return time;
  }
  return {};
}

Result<Json> EventsOf(kube::Client& client, const Json& cluster, Deadline deadline) {
  kube::ListOptions options;
  options.field_selector = "involvedObject.uid=" + kube::UidOf(cluster);
  HOLDFAST_ASSIGN_OR_RETURN(const kube::ObjectList list,
                            client.List(kube::kinds::kEvent, kube::KeyOf(cluster).ns, options, deadline));
  std::vector<Json> rows;
  for (const Json& event : list.items) {
    rows.push_back({{"time", EventTime(event)},
                    {"type", event.value("type", "")},
                    {"reason", event.value("reason", "")},
                    {"message", event.value("message", "")},
                    {"count", event.value("count", 1)}});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) { return a.at("time") < b.at("time"); });
  if (rows.size() > kMostEvents) rows.erase(rows.begin(), rows.end() - kMostEvents);
  return Json(std::move(rows));
}

// What a person may have to do, in sentences.
std::vector<std::string> AdviceFor(const Json& cluster, const Json& head, const std::vector<Json>& pods) {
  std::vector<std::string> advice;
  const std::string name = head.at("name").get<std::string>();
  if (head.at("paused") == true) {
    advice.push_back("it is paused; to let the operator go on: kubectl holdfast resume " + name);
  }
  for (const Json& condition : head.at("conditions")) {
    if (condition.value("type", "") == "Degraded" && condition.value("status", "") == "True") {
      advice.push_back(condition.value("message", ""));
    }
  }
  if (head.at("conditions").empty()) {
    advice.emplace_back("the operator has not looked at it yet: is it running, and does it watch this namespace?");
  } else if (head.at("observedGeneration") != head.at("generation") && head.at("paused") == false) {
    advice.emplace_back("the status is about an older spec; if that stays so, look at the operator's log");
  }
  if (kube::IsBeingDeleted(cluster)) advice.emplace_back("it is being deleted; Ready says what that waits for");
  if (const auto problem = storagecluster::PodProblem(pods)) {
    const bool said = std::any_of(advice.begin(), advice.end(), [&](const std::string& line) {
      return line.find(problem->message) != std::string::npos;
    });
    if (!said) advice.push_back(problem->message);
  }
  return advice;
}

}  // namespace

Result<Json> ReportCluster(kube::Client& client, const kube::ObjectKey& key, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const Json cluster, client.Get(kube::kinds::kStorageCluster, key, deadline));
  Json report = HeadOf(cluster);
  report["backends"] = ValueAt(cluster, "/status/backends", Json::array());
  kube::ListOptions options;
  options.label_selector = std::string(resources::kClusterLabel) + "=" + key.name;
  HOLDFAST_ASSIGN_OR_RETURN(const kube::ObjectList pods, client.List(kube::kinds::kPod, key.ns, options, deadline));
  std::vector<Json> rows;
  for (const Json& pod : pods.items) rows.push_back(PodRow(pod));
  std::sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) { return a.at("name") < b.at("name"); });
  report["advice"] = AdviceFor(cluster, report, pods.items);
  report["pods"] = std::move(rows);
  HOLDFAST_ASSIGN_OR_RETURN(report["events"], EventsOf(client, cluster, deadline));
  return report;
}

Result<std::vector<Json>> ReportClusters(kube::Client& client, const std::string& ns, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const kube::ObjectList list, client.List(kube::kinds::kStorageCluster, ns, {}, deadline));
  std::vector<Json> rows;
  for (const Json& cluster : list.items) rows.push_back(HeadOf(cluster));
  std::sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) {
    return std::tie(a.at("namespace"), a.at("name")) < std::tie(b.at("namespace"), b.at("name"));
  });
  return rows;
}

}  // namespace holdfast::kubectl
