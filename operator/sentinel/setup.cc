#include "operator/sentinel/setup.h"

#include <algorithm>
#include <map>
#include <utility>

#include "operator/api/v1/redis_fields.h"

namespace holdfast::sentinel {
namespace {

constexpr char kServerSelector[] = "app.kubernetes.io/managed-by=holdfast-operator,storage.holdfast.dev/role=redis";
constexpr char kSentinelSelector[] =
    "app.kubernetes.io/managed-by=holdfast-operator,storage.holdfast.dev/role=sentinel";

// Beside the reconciler it owns what the reconciler only refers to.
class OwningReconciler : public runtime::Reconciler {
 public:
  OwningReconciler(std::shared_ptr<kube::Client> client, const SentinelOptions& options,
                   std::map<std::string, SentinelReconciler::Copies> copies,
                   std::shared_ptr<failover::PodHistory> history, metrics::Registry& registry)
      : client_(std::move(client)),
        events_(kube::MakeEventRecorder(client_, "holdfast-operator")),
        copies_(std::move(copies)),
        history_(std::move(history)),
        sentinels_(MakeSentinelClient()),
        reconciler_(
            *client_, *events_, [this](const std::string& ns) { return CopiesOf(ns); }, *history_, *sentinels_, options,
            registry, SystemClock()) {}

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override {
    return reconciler_.Reconcile(request, stop);
  }

 private:
  SentinelReconciler::Copies CopiesOf(const std::string& ns) const {
    const auto of_namespace = copies_.find(ns);
    return of_namespace != copies_.end() ? of_namespace->second : copies_.begin()->second;
  }

  const std::shared_ptr<kube::Client> client_;
  const std::unique_ptr<kube::EventRecorder> events_;
  const std::map<std::string, SentinelReconciler::Copies> copies_;  // by namespace; "" = all
  const std::shared_ptr<failover::PodHistory> history_;
  const std::shared_ptr<SentinelClient> sentinels_;
  SentinelReconciler reconciler_;
};

// Of a pod, or of a StatefulSet, which carries the same labels.
std::vector<runtime::Request> BackendOf(const kube::Json& object) {
  std::optional<runtime::Request> request = RequestOfPod(object);
  return request ? std::vector{*std::move(request)} : std::vector<runtime::Request>();
}

bool HasSentinels(const kube::Json& cluster) {
  static const kube::Json::json_pointer backends("/spec/backends");
  if (!cluster.contains(backends) || !cluster.at(backends).is_array()) return false;
  return std::any_of(cluster.at(backends).begin(), cluster.at(backends).end(), [](const kube::Json& backend) {
    return kube::StringAt(backend, "/redis/mode") == api::kRedisSentinelMode;
  });
}

// Of the status only what was said here, and of clusters without sentinels nothing.
void TrimCluster(kube::Json& cluster) {
  kube::Json status = kube::Json::object();
  for (const char* said : {"redis", "failover"}) {
    const kube::Json::json_pointer pointer(std::string("/status/") + said);
    if (cluster.contains(pointer)) status[said] = cluster.at(pointer);
  }
  if (status.empty() && !HasSentinels(cluster)) cluster.erase("spec");
  cluster["status"] = std::move(status);
}

// Only what says how many pods there are and which of them are outdated.
void TrimSet(kube::Json& set) {
  static const kube::Json::json_pointer replicas("/spec/replicas");
  kube::Json spec = kube::Json::object();
  if (set.contains(replicas)) spec["replicas"] = set.at(replicas);
  set["spec"] = std::move(spec);
}

void TrimPod(kube::Json& pod) {
  pod.erase("spec");
  if (pod.contains("metadata")) pod["metadata"].erase("annotations");
}

kube::Informer& Labelled(runtime::Manager& manager, const kube::ResourceKind& kind, const std::string& ns,
                         const char* selector, void (*trim)(kube::Json&)) {
  kube::InformerOptions options;
  options.ns = ns;
  options.label_selector = selector;
  options.trim = trim;
  return manager.AddInformer(kind, std::move(options));
}

}  // namespace

void AddSentinelController(runtime::Manager& manager, std::shared_ptr<kube::Client> client,
                           const SentinelConfig& config, metrics::Registry& registry) {
  std::vector<std::string> namespaces = config.namespaces;
  if (namespaces.empty()) namespaces.emplace_back();
  std::map<std::string, SentinelReconciler::Copies> copies;
  auto history = std::make_shared<failover::PodHistory>();
  std::vector<kube::Informer*> watched;
  for (const std::string& ns : namespaces) {
    if (copies.contains(ns)) continue;
    kube::InformerOptions of_clusters;
    of_clusters.ns = ns;
    of_clusters.trim = TrimCluster;
    kube::Informer& clusters = manager.AddInformer(kube::kinds::kStorageCluster, std::move(of_clusters));
    kube::Informer& servers = Labelled(manager, kube::kinds::kPod, ns, kServerSelector, TrimPod);
    servers.AddHandler([history](const kube::ObjectPtr& old, const kube::ObjectPtr& current) {
      for (const kube::ObjectPtr& pod : {old, current}) {
        if (pod != nullptr) history->Observe(*pod);
      }
    });
    kube::Informer& sentinels = Labelled(manager, kube::kinds::kPod, ns, kSentinelSelector, TrimPod);
    kube::Informer& sets = Labelled(manager, kube::kinds::kStatefulSet, ns, kServerSelector, TrimSet);
    copies[ns] = {&clusters, &servers, &sentinels, &sets};
    watched.insert(watched.end(), {&servers, &sentinels, &sets});
  }
  runtime::ControllerOptions options;
  options.name = "sentinel";
  options.workers = config.workers;
  options.rate_limit.maximum = std::chrono::seconds{10};
  runtime::Controller& controller = manager.AddController(
      std::move(options),
      std::make_shared<OwningReconciler>(std::move(client), config.options, std::move(copies), history, registry));
  // What a look finds out is no change of an object: each backend asks to be looked at again by itself.
  for (kube::Informer* objects : watched) controller.Watch(*objects, BackendOf);
}

}  // namespace holdfast::sentinel
