#include "operator/shards/setup.h"

#include <algorithm>
#include <map>
#include <utility>

#include "operator/api/v1/redis_fields.h"

namespace holdfast::shards {
namespace {

constexpr char kServerSelector[] = "app.kubernetes.io/managed-by=holdfast-operator,storage.holdfast.dev/role=redis";

using CopiesByNamespace = std::map<std::string, ShardReconciler::Copies>;  // "" = all

// Beside the reconciler it owns what the reconciler only refers to.
class OwningReconciler : public runtime::Reconciler {
 public:
  OwningReconciler(std::shared_ptr<kube::Client> client, const ShardOptions& options, CopiesByNamespace copies,
                   metrics::Registry& registry)
      : client_(std::move(client)),
        events_(kube::MakeEventRecorder(client_, "holdfast-operator")),
        copies_(std::move(copies)),
        servers_(MakeShardClient()),
        reconciler_(
            *client_, *events_,
            [this](const std::string& ns) {
              const auto of_namespace = copies_.find(ns);
              return of_namespace != copies_.end() ? of_namespace->second : copies_.begin()->second;
            },
            *servers_, options, registry, SystemClock()) {}

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override {
    return reconciler_.Reconcile(request, stop);
  }

 private:
  const std::shared_ptr<kube::Client> client_;
  const std::unique_ptr<kube::EventRecorder> events_;
  const CopiesByNamespace copies_;
  const std::shared_ptr<ShardClient> servers_;
  ShardReconciler reconciler_;
};

bool HasShards(const kube::Json& cluster) {
  static const kube::Json::json_pointer backends("/spec/backends");
  if (!cluster.contains(backends) || !cluster.at(backends).is_array()) return false;
  return std::any_of(cluster.at(backends).begin(), cluster.at(backends).end(), [](const kube::Json& backend) {
    return kube::StringAt(backend, "/redis/mode") == api::kRedisClusterMode;
  });
}

// Of the status only what was said here, and of clusters without shards nothing.
void TrimCluster(kube::Json& cluster) {
  static const kube::Json::json_pointer said("/status/redis");
  kube::Json status = kube::Json::object();
  if (cluster.contains(said)) status["redis"] = cluster.at(said);
  if (status.empty() && !HasShards(cluster)) cluster.erase("spec");
  cluster["status"] = std::move(status);
}

void TrimPod(kube::Json& pod) {
  pod.erase("spec");
  if (pod.contains("metadata")) pod["metadata"].erase("annotations");
}

}  // namespace

void AddShardController(runtime::Manager& manager, std::shared_ptr<kube::Client> client, const ShardsConfig& config,
                        metrics::Registry& registry) {
  CopiesByNamespace copies;
  std::vector<kube::Informer*> servers;
  std::vector<std::string> namespaces = config.namespaces;
  if (namespaces.empty()) namespaces.emplace_back();
  for (const std::string& ns : namespaces) {
    if (copies.contains(ns)) continue;
    kube::InformerOptions of_clusters;
    of_clusters.ns = ns;
    of_clusters.trim = TrimCluster;
    kube::InformerOptions of_servers;
    of_servers.ns = ns;
    of_servers.label_selector = kServerSelector;
    of_servers.trim = TrimPod;
    kube::Informer& clusters = manager.AddInformer(kube::kinds::kStorageCluster, std::move(of_clusters));
    servers.push_back(&manager.AddInformer(kube::kinds::kPod, std::move(of_servers)));
    copies[ns] = {&clusters, servers.back()};
  }
  runtime::ControllerOptions options;
  options.name = "shards";
  options.workers = config.workers;
  options.rate_limit.maximum = std::chrono::seconds{10};
  runtime::Controller& controller = manager.AddController(
      std::move(options),
      std::make_shared<OwningReconciler>(std::move(client), config.options, std::move(copies), registry));
  // What a look finds out is no change of an object: each backend asks to be looked at again by itself.
  for (kube::Informer* pods : servers) {
    controller.Watch(*pods, [](const kube::Json& pod) {
      const std::optional<runtime::Request> request = RequestOfPod(pod);
      return request ? std::vector{*request} : std::vector<runtime::Request>();
    });
  }
}

}  // namespace holdfast::shards
