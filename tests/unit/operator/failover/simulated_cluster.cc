#include "tests/unit/operator/failover/simulated_cluster.h"

#include <gtest/gtest.h>

#include "operator/api/v1/crd.h"
#include "tests/unit/operator/controllers/in_process_client.h"

namespace holdfast::failover {

using kube::Json;

namespace {

constexpr char kPods[] = "/api/v1/namespaces/default/pods";
constexpr char kMaps[] = "/api/v1/namespaces/default/configmaps";
constexpr char kServers[] = "/apis/apps/v1/namespaces/default/statefulsets";
constexpr char kClusters[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters";
constexpr char kMergePatch[] = "application/merge-patch+json";

std::string AddressOf(const std::string& pod) {
  return "10.0.0." + pod.substr(pod.size() - 1);
}

}  // namespace

Result<MemberReport> FakePatroni::Report(const PatroniEndpoint& member, Deadline) {
  const auto found = reports.find(member.address);
  if (found == reports.end()) return Error(ErrorCode::kUnavailable, "no answer");
  return found->second;
}

Status FakePatroni::Switchover(const PatroniEndpoint&, const std::string& leader, const std::string& candidate,
                               Deadline) {
  switchovers.push_back(leader + " -> " + candidate);
  return switchover_answer;
}

kube::ObjectPtr ShownObjects::Get(const kube::ObjectKey& key) const {
  const auto found = objects.find(key);
  return found == objects.end() ? nullptr : found->second;
}

std::vector<kube::ObjectPtr> ShownObjects::List(const std::string&) const {
  std::vector<kube::ObjectPtr> all;
  for (const auto& [key, object] : objects) all.push_back(object);
  return all;
}

SimulatedCluster::SimulatedCluster()
    : client(std::make_shared<storagecluster::CrashingClient>(std::make_shared<storagecluster::InProcessClient>(api))) {
  EXPECT_TRUE(
      api.Call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", api::StorageClusterDefinition())
          .ok());
  const auto made = api.Call("POST", kClusters,
                             {{"apiVersion", "storage.holdfast.dev/v1"},
                              {"kind", "StorageCluster"},
                              {"metadata", {{"name", "demo"}}},
                              {"spec",
                               {{"backends", Json::array({{{"name", "db"}, {"postgres", {{"instances", 2}}}}})},
                                {"stores", Json::array({{{"name", "main"}, {"backend", "db"}}})}}}});
  EXPECT_TRUE(made.ok()) << made.body;
  const Json labels = {{"app.kubernetes.io/managed-by", "holdfast-operator"},
                       {"storage.holdfast.dev/cluster", "demo"},
                       {"storage.holdfast.dev/backend", "db"},
                       {"storage.holdfast.dev/role", "postgres"}};
  const Json containers = Json::array({{{"name", "postgres"}, {"image", "postgres"}}});
  const auto servers =
      api.Call("POST", kServers,
               {{"metadata", {{"name", "demo-db"}, {"labels", labels}}},
                {"spec",
                 {{"replicas", 2},
                  {"serviceName", "demo-db-pods"},
                  {"selector", {{"matchLabels", labels}}},
                  {"template", {{"metadata", {{"labels", labels}}}, {"spec", {{"containers", containers}}}}}}}});
  EXPECT_TRUE(servers.ok()) << servers.body;
  ChangeTemplate(revision_);
  MakePod(kA);
  MakePod(kB);
  LetFollow(kA);
  PutMap("demo-db-config", {{"initialize", "7000000000000000000"},
                            {"config", R"({"synchronous_mode": true, "ttl": 30, "loop_wait": 10})"}});
  PutMap("demo-db-leader", {{"leader", kA}, {"renewTime", "2096-10-02T07:06:40+00:00"}, {"ttl", "30"}});
  StartOperator();
}

void SimulatedCluster::StartOperator() {
  history_ = std::make_unique<PodHistory>();
  client->CrashAt(0, storagecluster::CrashingClient::When::kBefore);
  reconciler_ = std::make_unique<FailoverReconciler>(
      *client, events,
      [this](const std::string&) {
        return FailoverReconciler::Copies{&clusters_, &pods_, &servers_};
      },
      *history_, patroni, write_path, options, registry, clock);
}

std::optional<Result<runtime::Outcome>> SimulatedCluster::Reconcile() {
  for (auto [shown, path] :
       {std::pair(&pods_, kPods), std::pair(&clusters_, kClusters), std::pair(&servers_, kServers)}) {
    shown->objects.clear();
    const Json list = Get(path);
    for (const Json& item : list.at("items")) {
      if (shown == &pods_) history_->Observe(item);
      shown->objects[kube::KeyOf(item)] = std::make_shared<const Json>(item);
    }
  }
  try {
    return reconciler_->Reconcile(RequestOf({"default", "demo", "db"}), {});
  } catch (const storagecluster::Crash&) {
    return std::nullopt;
  }
}

void SimulatedCluster::EndContainer(const std::string& pod) {
  const std::string id = ContainerIdOf(Pod(pod));
  patroni.reports.erase(AddressOf(pod));
  const Json ended = {{"containerID", id}, {"exitCode", 137}};
  SetStatus(pod, {{"containerStatuses",
                   Json::array({{{"name", "postgres"}, {"containerID", id}, {"state", {{"terminated", ended}}}}})}});
  if (history_ != nullptr) history_->Observe(Pod(pod));
}

bool SimulatedCluster::KubeletEndsDeletedPods() {
  bool any = false;
  for (const char* name : {kA, kB}) {
    const Json pod = Pod(name);
    if (!kube::IsBeingDeleted(pod)) continue;
    any = true;
    EndContainer(name);
    EXPECT_TRUE(api.Call("DELETE", std::string(kPods) + "/" + name, {{"gracePeriodSeconds", 0}}).ok());
    MakePod(name);
    patroni.reports[AddressOf(name)] = {"starting", false, 1, 100, {}};
  }
  return any;
}

void SimulatedCluster::ChangeTemplate(const std::string& revision) {
  revision_ = revision;
  const Json servers = Get(std::string(kServers) + "/demo-db");
  const Json status = {{"observedGeneration", kube::GenerationOf(servers)}, {"updateRevision", revision}};
  const auto changed = api.Call("PATCH", std::string(kServers) + "/demo-db/status", {{"status", status}}, kMergePatch);
  EXPECT_TRUE(changed.ok()) << changed.body;
}

std::string SimulatedCluster::RevisionOf(const std::string& pod) {
  return kube::LabelOf(Pod(pod), "controller-revision-hash");
}

void SimulatedCluster::LetFollow(const std::string& primary) {
  const std::string standby = primary == kA ? kB : kA;
  const std::int64_t timeline = primary == kA ? 1 : 2;
  patroni.reports[AddressOf(primary)] = {"running", true, timeline, 100, {standby}};
  patroni.reports[AddressOf(standby)] = {"running", false, timeline, 100, {}};
  PutMap("demo-db-sync", {{"leader", primary}, {"sync_standby", standby}});
}

bool SimulatedCluster::Elect(bool expired) {
  if (!Holder().empty() && !expired) return false;
  PutMap("demo-db-leader", {{"leader", kB}, {"renewTime", "2096-10-02T07:06:41+00:00"}});
  PutMap("demo-db-sync", {{"leader", kB}, {"sync_standby", nullptr}});
  patroni.reports[AddressOf(kB)] = {"running", true, 2, 120, {}};
  return true;
}

Json SimulatedCluster::Get(const std::string& path) {
  return api.Call("GET", path).body;
}

std::string SimulatedCluster::Holder() {
  return HolderOf(Get(std::string(kMaps) + "/demo-db-leader"));
}

Intent SimulatedCluster::LastIntent() {
  return IntentOf(Get(std::string(kClusters) + "/demo"), "db").value_or(Intent{});
}

void SimulatedCluster::Annotate(const std::string& annotation, const Json& value) {
  EXPECT_TRUE(api.Call("PATCH", std::string(kClusters) + "/demo",
                       {{"metadata", {{"annotations", {{annotation, value}}}}}}, kMergePatch)
                  .ok());
}

void SimulatedCluster::MakePod(const std::string& name) {
  const Json labels = {{"app.kubernetes.io/managed-by", "holdfast-operator"},
                       {"storage.holdfast.dev/cluster", "demo"},
                       {"storage.holdfast.dev/backend", "db"},
                       {"storage.holdfast.dev/role", "postgres"},
                       {"controller-revision-hash", revision_}};
  const auto made = api.Call(
      "POST", kPods,
      {{"metadata", {{"name", name}, {"labels", labels}}},
       {"spec", {{"nodeName", "node"}, {"containers", Json::array({{{"name", "postgres"}, {"image", "postgres"}}})}}}});
  EXPECT_TRUE(made.ok()) << made.body;
  SetStatus(name, {{"podIP", AddressOf(name)},
                   {"containerStatuses",
                    Json::array({{{"name", "postgres"},
                                  {"containerID", "test://" + std::to_string(++containers_)},
                                  {"state", {{"running", {{"startedAt", "2096-10-02T07:06:40Z"}}}}}}})}});
}

void SimulatedCluster::SetStatus(const std::string& name, const Json& status) {
  EXPECT_TRUE(api.Call("PATCH", std::string(kPods) + "/" + name + "/status", {{"status", status}}, kMergePatch).ok());
}

void SimulatedCluster::PutMap(const std::string& name, const Json& annotations) {
  const std::string path = std::string(kMaps) + "/" + name;
  const Json map = {{"metadata", {{"name", name}, {"annotations", annotations}}}};
  if (api.Call("GET", path).ok()) {
    EXPECT_TRUE(api.Call("PATCH", path, map, kMergePatch).ok());
  } else {
    EXPECT_TRUE(api.Call("POST", kMaps, map).ok());
  }
}

}  // namespace holdfast::failover
