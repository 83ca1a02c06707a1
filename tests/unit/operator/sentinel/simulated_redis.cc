#include "tests/unit/operator/sentinel/simulated_redis.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "operator/api/v1/crd.h"
#include "operator/kube/base64.h"
#include "operator/resources/redis_servers.h"
#include "tests/unit/operator/controllers/in_process_client.h"

namespace holdfast::sentinel {

using kube::Json;

namespace {

constexpr char kPods[] = "/api/v1/namespaces/default/pods";
constexpr char kSecrets[] = "/api/v1/namespaces/default/secrets";
constexpr char kSets[] = "/apis/apps/v1/namespaces/default/statefulsets";
constexpr char kClusters[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters";
constexpr char kMergePatch[] = "application/merge-patch+json";
constexpr std::uint64_t kOffset = 1000;

const std::vector<std::string> kSentinels = {"demo-cache-sentinel-0", "demo-cache-sentinel-1", "demo-cache-sentinel-2"};

std::string HostOf(const std::string& pod) {
  return pod + ".default.svc";
}

Json Labels(const char* role) {
  return {{"app.kubernetes.io/managed-by", "holdfast-operator"},
          {"storage.holdfast.dev/cluster", "demo"},
          {"storage.holdfast.dev/backend", "cache"},
          {"storage.holdfast.dev/role", role}};
}

Json Conditions(bool ready) {
  return Json::array({{{"type", "Ready"}, {"status", ready ? "True" : "False"}}});
}

}  // namespace

const std::vector<std::string> SimulatedRedis::kServers = {"demo-cache-0", "demo-cache-1", "demo-cache-2"};

Result<Report> FakeSentinels::Ask(const Endpoint& sentinel, const std::string& master_name, Deadline) {
  EXPECT_EQ(master_name, "main");
  EXPECT_EQ(sentinel.user, "keeper");
  EXPECT_EQ(sentinel.authority, "authority");
  EXPECT_EQ(sentinel.port, 26379);
  const auto found = reports.find(PodOf(sentinel.name));
  if (found == reports.end() || sentinel.password != password) return Error(ErrorCode::kUnavailable, "no answer");
  return found->second;
}

Result<ServerReport> FakeSentinels::AskServer(const Endpoint& server, Deadline) {
  EXPECT_EQ(server.user, "keeper");
  EXPECT_EQ(server.port, 6379);
  const auto found = servers.find(PodOf(server.name));
  if (found == servers.end()) return Error(ErrorCode::kUnavailable, "no answer");
  return found->second;
}

Status FakeSentinels::Failover(const Endpoint& sentinel, const std::string& master_name, Deadline) {
  EXPECT_EQ(master_name, "main");
  told.push_back(PodOf(sentinel.name));
  if (on_told) on_told();
  return answer;
}

Status FakeSentinels::Reset(const Endpoint& sentinel, const std::string& master_name, Deadline) {
  EXPECT_EQ(master_name, "main");
  Report& report = reports.at(PodOf(sentinel.name));
  report.replicas.clear();
  report.others = 0;
  reset.push_back(PodOf(sentinel.name));
  return answer;
}

Status FakeSentinels::SetPriority(const Endpoint& server, std::int64_t priority, Deadline) {
  EXPECT_EQ(server.port, 6379);
  servers.at(PodOf(server.name)).priority = priority;
  return answer;
}

kube::ObjectPtr Shown::Get(const kube::ObjectKey& key) const {
  const auto found = objects.find(key);
  return found == objects.end() ? nullptr : found->second;
}

SimulatedRedis::SimulatedRedis()
    : client(std::make_shared<storagecluster::CrashingClient>(std::make_shared<storagecluster::InProcessClient>(api))) {
  MakeCluster();
  PutSecret("demo-cache-credentials", "keeper-password", "word");
  PutSecret("demo-cache-tls", "ca.crt", "authority");
  for (const std::string& pod : kServers) MakePod(pod, "redis");
  for (const std::string& pod : kSentinels) MakePod(pod, "sentinel");
  Serve(kServers.front());
  StartOperator();
}

void SimulatedRedis::MakeCluster() {
  EXPECT_TRUE(
      api.Call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", api::StorageClusterDefinition())
          .ok());
  const Json redis = {{"mode", "Sentinel"}, {"storage", {{"size", "1Gi"}}}};
  const auto made = api.Call("POST", kClusters,
                             {{"apiVersion", "storage.holdfast.dev/v1"},
                              {"kind", "StorageCluster"},
                              {"metadata", {{"name", "demo"}}},
                              {"spec",
                               {{"backends", Json::array({{{"name", "cache"}, {"redis", redis}}})},
                                {"stores", Json::array({{{"name", "main"}, {"backend", "cache"}}})}}}});
  EXPECT_TRUE(made.ok()) << made.body;
  const Json containers = Json::array({{{"name", "redis"}, {"image", "redis"}}});
  const auto set = api.Call(
      "POST", kSets,
      {{"metadata", {{"name", "demo-cache"}, {"labels", Labels("redis")}}},
       {"spec",
        {{"replicas", 3},
         {"serviceName", "demo-cache-pods"},
         {"selector", {{"matchLabels", Labels("redis")}}},
         {"template", {{"metadata", {{"labels", Labels("redis")}}}, {"spec", {{"containers", containers}}}}}}}});
  EXPECT_TRUE(set.ok()) << set.body;
  ChangeTemplate(revision_);
}

void SimulatedRedis::StartOperator() {
  history_ = std::make_unique<failover::PodHistory>();
  client->CrashAt(0, storagecluster::CrashingClient::When::kBefore);
  reconciler_ = std::make_unique<SentinelReconciler>(
      *client, events,
      [this](const std::string&) {
        return SentinelReconciler::Copies{&clusters_, &pods_, &pods_, &sets_};
      },
      *history_, sentinels, options, registry, clock);
}

std::optional<Result<runtime::Outcome>> SimulatedRedis::Reconcile() {
  for (auto [shown, path] : {std::pair(&pods_, kPods), std::pair(&clusters_, kClusters), std::pair(&sets_, kSets)}) {
    shown->objects.clear();
    const Json list = Get(path);
    for (const Json& item : list.at("items")) {
      if (shown == &pods_) history_->Observe(item);
      shown->objects[kube::KeyOf(item)] = std::make_shared<const Json>(item);
    }
  }
  try {
    return reconciler_->Reconcile({"default", "demo/cache"}, {});
  } catch (const storagecluster::Crash&) {
    return std::nullopt;
  }
}

void SimulatedRedis::Serve(const std::string& master) {
  if (master != master_) ++epoch_;
  master_ = master;
  Report report{.master = HostOf(master), .epoch = epoch_, .replicas = {}, .others = 2};
  for (const std::string& pod : servers_) {
    ServerReport server{.master = pod == master, .offset = kOffset};
    if (const auto known = sentinels.servers.find(pod); known != sentinels.servers.end()) {
      server.priority = known->second.priority;
    }
    if (pod != master) report.replicas.push_back({.host = HostOf(pod), .in_step = true, .priority = server.priority});
    if (!server.master) {
      server.follows = HostOf(master);
      server.linked = true;
    }
    sentinels.servers[pod] = server;
    SetReady(pod, true);
  }
  for (const std::string& pod : kSentinels) sentinels.reports[pod] = report;
}

void SimulatedRedis::EndContainer(const std::string& pod) {
  const std::string id = failover::ContainerIdOf(Pod(pod));
  const Json ended = {{"containerID", id}, {"exitCode", 137}};
  SetStatus(pod, {{"conditions", Conditions(false)},
                  {"containerStatuses",
                   Json::array({{{"name", "redis"}, {"containerID", id}, {"state", {{"terminated", ended}}}}})}});
  history_->Observe(Pod(pod));
  Silence(pod);
}

void SimulatedRedis::Silence(const std::string& pod) {
  sentinels.servers.erase(pod);
  for (auto& [name, server] : sentinels.servers) {
    if (server.follows != HostOf(pod)) continue;
    server.linked = false;
    server.unlinked = std::chrono::seconds{0};
  }
}

void SimulatedRedis::Vanish(const std::string& pod) {
  Silence(pod);
  EXPECT_TRUE(api.Call("DELETE", std::string(kPods) + "/" + pod, {{"gracePeriodSeconds", 0}}).ok());
}

bool SimulatedRedis::KubeletEndsDeletedPods() {
  bool any = false;
  for (const std::string& pod : servers_) {
    if (!IsLeaving(pod)) continue;
    any = true;
    if (pod == master_) Serve(pod == servers_.back() ? servers_.front() : servers_.back());
    EndContainer(pod);
    EXPECT_TRUE(api.Call("DELETE", std::string(kPods) + "/" + pod, {{"gracePeriodSeconds", 0}}).ok());
    MakePod(pod, "redis");
  }
  return any;
}

void SimulatedRedis::ChangeTemplate(const std::string& revision) {
  revision_ = revision;
  const std::string path = std::string(kSets) + "/demo-cache";
  const Json status = {{"observedGeneration", kube::GenerationOf(Get(path))}, {"updateRevision", revision}};
  const auto changed = api.Call("PATCH", path + "/status", {{"status", status}}, kMergePatch);
  EXPECT_TRUE(changed.ok()) << changed.body;
}

void SimulatedRedis::WantServers(std::int64_t servers) {
  wanted_ = servers;
  const Json redis = {{"mode", "Sentinel"}, {"storage", {{"size", "1Gi"}}}, {"instances", servers}};
  const Json patch = {{"spec", {{"backends", Json::array({{{"name", "cache"}, {"redis", redis}}})}}}};
  const auto changed = api.Call("PATCH", std::string(kClusters) + "/demo", patch, kMergePatch);
  EXPECT_TRUE(changed.ok()) << changed.body;
  MakeObjects();
}

void SimulatedRedis::MakeObjects() {
  const std::string path = std::string(kSets) + "/demo-cache";
  const Json set = Get(path);
  const resources::RedisServers desired = resources::DesiredServers(wanted_, &set);
  const std::string names = std::to_string(desired.names);
  if (set.at("/spec/replicas"_json_pointer) != desired.pods ||
      set.at("metadata").value("annotations", Json::object()).value(resources::kServersAnnotation, "") != names) {
    const auto changed = api.Call("PATCH", path,
                                  {{"metadata", {{"annotations", {{resources::kServersAnnotation, names}}}}},
                                   {"spec", {{"replicas", desired.pods}}}},
                                  kMergePatch);
    EXPECT_TRUE(changed.ok()) << changed.body;
    ChangeTemplate(revision_);
  }
  while (static_cast<std::int64_t>(servers_.size()) > desired.pods) {
    EXPECT_NE(servers_.back(), master_) << "the master was taken away";
    Vanish(servers_.back());
    for (auto& [name, report] : sentinels.reports) {
      for (Report::Replica& replica : report.replicas) {
        if (replica.host == HostOf(servers_.back())) replica.away = true;
      }
    }
    servers_.pop_back();
  }
  while (static_cast<std::int64_t>(servers_.size()) < desired.pods) {
    servers_.push_back("demo-cache-" + std::to_string(servers_.size()));
    MakePod(servers_.back(), "redis");
  }
}

void SimulatedRedis::SentinelsLook() {
  for (auto& [name, report] : sentinels.reports) {
    report.others = 2;
    for (const std::string& pod : servers_) {
      const bool known = std::any_of(report.replicas.begin(), report.replicas.end(),
                                     [&](const Report::Replica& each) { return each.host == HostOf(pod); });
      if (!known && pod != master_) report.replicas.push_back({.host = HostOf(pod), .in_step = true});
    }
    for (Report::Replica& replica : report.replicas) {
      const auto server = sentinels.servers.find(PodOf(replica.host));
      if (server != sentinels.servers.end()) replica.priority = server->second.priority;
    }
  }
}

void SimulatedRedis::SetReady(const std::string& pod, bool ready) {
  SetStatus(pod, {{"conditions", Conditions(ready)}});
}

void SimulatedRedis::PutSecret(const std::string& name, const std::string& file, const std::string& text) {
  api.Call("DELETE", std::string(kSecrets) + "/" + name);
  EXPECT_TRUE(
      api.Call("POST", kSecrets, {{"metadata", {{"name", name}}}, {"data", {{file, kube::Base64Encode(text)}}}}).ok());
}

void SimulatedRedis::Annotate(const std::string& annotation, const Json& value) {
  const Json patch = {{"metadata", {{"annotations", {{annotation, value}}}}}};
  EXPECT_TRUE(api.Call("PATCH", std::string(kClusters) + "/demo", patch, kMergePatch).ok());
}

void SimulatedRedis::ForEachReport(const std::function<void(Report&)>& change) {
  for (auto& [name, report] : sentinels.reports) change(report);
}

Json SimulatedRedis::Get(const std::string& path) {
  return api.Call("GET", path).body;
}

Json SimulatedRedis::Cluster() {
  return Get(std::string(kClusters) + "/demo");
}

Json SimulatedRedis::Pod(const std::string& name) {
  return Get(std::string(kPods) + "/" + name);
}

Json SimulatedRedis::Said() {
  return Cluster().value("/status/redis/0"_json_pointer, Json::object());
}

failover::Intent SimulatedRedis::LastIntent() {
  return failover::IntentOf(Cluster(), "cache").value_or(failover::Intent{});
}

std::string SimulatedRedis::RevisionOf(const std::string& pod) {
  return kube::LabelOf(Pod(pod), "controller-revision-hash");
}

void SimulatedRedis::MakePod(const std::string& name, const char* role) {
  Json labels = Labels(role);
  labels["controller-revision-hash"] = revision_;
  const auto made =
      api.Call("POST", kPods,
               {{"metadata", {{"name", name}, {"labels", labels}}},
                {"spec", {{"nodeName", "node"}, {"containers", Json::array({{{"name", role}, {"image", "redis"}}})}}}});
  EXPECT_TRUE(made.ok()) << made.body;
  const Json running = {{"running", {{"startedAt", "2023-11-14T22:13:20Z"}}}};
  SetStatus(name, {{"podIP", "10.0.0.1"},
                   {"conditions", Conditions(false)},
                   {"containerStatuses", Json::array({{{"name", role},
                                                       {"containerID", "test://" + std::to_string(++containers_)},
                                                       {"state", running}}})}});
}

void SimulatedRedis::SetStatus(const std::string& name, const Json& status) {
  const auto set = api.Call("PATCH", std::string(kPods) + "/" + name + "/status", {{"status", status}}, kMergePatch);
  EXPECT_TRUE(set.ok()) << set.body;
}

}  // namespace holdfast::sentinel
