// The parts of ClusterBench that play what a postgres backend needs of a cluster.
#include <cstdlib>

#include "base/config/yaml.h"
#include "operator/controllers/storagecluster/ownership.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {
namespace {

constexpr char kNamespace[] = "prod";

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{20});
}

// The operator may be ahead of the view the bench acts on.
void MustUnlessOvertaken(const Result<Json>& result) {
  if (result.ok()) return;
  const ErrorCode code = result.error().code();
  if (code == ErrorCode::kVersionConflict || code == ErrorCode::kNotFound || code == ErrorCode::kAlreadyExists) return;
  fprintf(stderr, "bench: %s\n", result.error().ToString().c_str());
  std::abort();
}

Json ReadyCondition(bool ready) {
  return Json::array({{{"type", "Ready"}, {"status", ready ? "True" : "False"}}});
}

Json OwnerOf(const Json& object, const char* kind) {
  return Json::array({{{"apiVersion", "apps/v1"},
                       {"kind", kind},
                       {"name", kube::KeyOf(object).name},
                       {"uid", kube::UidOf(object)},
                       {"controller", true}}});
}

}  // namespace

// Patroni's first member puts down what its file says; later ones find it.
void ClusterBench::PlayPatroniStore(const Json& set) {
  const std::string scope = kube::KeyOf(set).name;
  if (!Get(kube::kinds::kConfigMap, scope + "-config").is_null()) return;
  const Json files = Get(kube::kinds::kConfigMap, scope + "-settings");
  if (files.is_null()) return;
  const auto patroni = config::ParseYamlDocuments(files.at("data").at("patroni.yml").get<std::string>(), "patroni.yml");
  if (!patroni.ok()) std::abort();
  const Json& dynamic = patroni->front().at("bootstrap").at("dcs");
  MustUnlessOvertaken(
      user_->Create(kube::kinds::kConfigMap,
                    {{"apiVersion", "v1"},
                     {"kind", "ConfigMap"},
                     {"metadata",
                      {{"name", scope + "-config"},
                       {"namespace", kNamespace},
                       {"labels",
                        {{resources::kClusterLabel, kube::LabelOf(set, resources::kClusterLabel)},
                         {resources::kPatroniScopeLabel, scope}}},
                       {"annotations", {{"config", dynamic.dump()}, {"initialize", "7300000000000000001"}}}}}},
                    Soon()));
}

void ClusterBench::PlayServers(const Json& set) {
  const std::string name = kube::KeyOf(set).name;
  const std::int64_t replicas = set.at("spec").at("replicas").get<std::int64_t>();
  for (std::int64_t i = 0; i < 9; ++i) {
    const std::string pod_name = name + "-" + std::to_string(i);
    const Json pod = Get(kube::kinds::kPod, pod_name);
    if (i >= replicas) {
      if (!pod.is_null()) server_.Call("DELETE", "/api/v1/namespaces/prod/pods/" + pod_name + "?gracePeriodSeconds=0");
      continue;
    }
    for (const Json& claim : set.at("spec").value("volumeClaimTemplates", Json::array())) {
      const std::string claim_name = claim.at("metadata").at("name").get<std::string>() + "-" + pod_name;
      if (!Get(kube::kinds::kPersistentVolumeClaim, claim_name).is_null()) continue;
      MustUnlessOvertaken(user_->Create(
          kube::kinds::kPersistentVolumeClaim,
          {{"apiVersion", "v1"},
           {"kind", "PersistentVolumeClaim"},
           {"metadata",
            {{"name", claim_name}, {"namespace", kNamespace}, {"labels", claim.at("metadata").at("labels")}}},
           {"spec", claim.at("spec")}},
          Soon()));
    }
    Json labels = set.at("spec").at("template").at("metadata").at("labels");
    const bool patroni = kube::LabelOf(set, resources::kRoleLabel) == resources::kPostgresRole;
    if (patroni)
      labels[resources::kPatroniRoleLabel] = i == 0 ? resources::kPatroniPrimary : resources::kPatroniReplica;
    const Json status = {{"conditions", ReadyCondition(servers_get_ready)}};
    if (pod.is_null()) {
      MustUnlessOvertaken(user_->Create(kube::kinds::kPod,
                                        {{"apiVersion", "v1"},
                                         {"kind", "Pod"},
                                         {"metadata",
                                          {{"name", pod_name},
                                           {"namespace", kNamespace},
                                           {"labels", labels},
                                           {"ownerReferences", OwnerOf(set, "StatefulSet")}}},
                                         {"spec", set.at("spec").at("template").at("spec")}},
                                        Soon()));
    } else if (pod.value("status", Json::object()).value("conditions", Json()) != status.at("conditions")) {
      Json changed = pod;
      changed["status"]["conditions"] = status.at("conditions");
      MustUnlessOvertaken(user_->UpdateStatus(kube::kinds::kPod, changed, Soon()));
    }
  }
}

void ClusterBench::PlayDatabases() {
  auto sets = user_->List(kube::kinds::kStatefulSet, kNamespace, {}, Soon());
  auto deployments = user_->List(kube::kinds::kDeployment, kNamespace, {}, Soon());
  auto jobs = user_->List(kube::kinds::kJob, kNamespace, {}, Soon());
  if (!sets.ok() || !deployments.ok() || !jobs.ok()) std::abort();
  const auto settle = [&](const kube::ResourceKind& kind, Json object, bool ready) {
    const std::int64_t replicas = object.at("spec").value("replicas", std::int64_t{1});
    object["status"] = {{"observedGeneration", kube::GenerationOf(object)},
                        {"replicas", replicas},
                        {"readyReplicas", ready ? replicas : 0},
                        {"updatedReplicas", replicas}};
    MustUnlessOvertaken(user_->UpdateStatus(kind, object, Soon()));
  };
  for (const Json& set : sets->items) {
    if (kube::LabelOf(set, resources::kBackendLabel).empty()) continue;
    PlayServers(set);
    const bool patroni = kube::LabelOf(set, resources::kRoleLabel) == resources::kPostgresRole;
    if (servers_get_ready && patroni) PlayPatroniStore(set);
    settle(kube::kinds::kStatefulSet, set, servers_get_ready);
  }
  for (const Json& deployment : deployments->items) settle(kube::kinds::kDeployment, deployment, true);
  for (Json& job : jobs->items) {
    if (jobs_end_with.empty() || job.value("status", Json::object()).contains("conditions")) continue;
    if (jobs_played_[kube::UidOf(job)]++ < jobs_take) continue;
    job["status"] = {{"conditions", Json::array({{{"type", jobs_end_with}, {"status", "True"}}})}};
    MustUnlessOvertaken(user_->UpdateStatus(kube::kinds::kJob, job, Soon()));
  }
}

Json PostgresSpec(const std::string& size) {
  return {{"backends", Json::array({{{"name", "db"}, {"postgres", {{"storage", {{"size", size}}}}}}})},
          {"stores", Json::array({{{"name", "main"}, {"backend", "db"}}})},
          {"service", {{"replicas", 2}}}};
}

Json RedisSpec(const std::string& size) {
  return {{"backends", Json::array({{{"name", "cache"}, {"redis", {{"storage", {{"size", size}}}}}}})},
          {"stores", Json::array({{{"name", "main"}, {"backend", "cache"}}})},
          {"service", {{"replicas", 2}}}};
}

Json SentinelSpec(const std::string& size, int instances) {
  Json spec = RedisSpec(size);
  spec["backends"][0]["redis"].update({{"mode", "Sentinel"}, {"instances", instances}});
  return spec;
}

Json ShardedSpec(int shards) {
  Json spec = RedisSpec();
  spec["backends"][0]["redis"].update({{"mode", "Cluster"}, {"shards", shards}});
  return spec;
}

Json GrowingPostgresSpec(const std::string& maximum) {
  Json spec = PostgresSpec();
  spec["backends"][0]["postgres"]["storage"]["autogrow"] = {{"maxSize", maximum}, {"interval", "1ms"}};
  return spec;
}

}  // namespace holdfast::storagecluster
