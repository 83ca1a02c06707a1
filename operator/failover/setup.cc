#include "operator/failover/setup.h"

#include <map>
#include <set>
#include <utility>

namespace holdfast::failover {
namespace {

constexpr char kMemberSelector[] = "app.kubernetes.io/managed-by=holdfast-operator,storage.holdfast.dev/role=postgres";

// Beside the reconciler it owns what the reconciler only refers to.
class OwningReconciler : public runtime::Reconciler {
 public:
  OwningReconciler(std::shared_ptr<kube::Client> client, const FailoverConfig& config,
                   std::map<std::string, FailoverReconciler::Copies> copies, std::shared_ptr<PodHistory> history,
                   metrics::Registry& registry)
      : client_(std::move(client)),
        events_(kube::MakeEventRecorder(client_, "holdfast-operator")),
        copies_(std::move(copies)),
        history_(std::move(history)),
        patroni_(MakePatroniClient()),
        write_path_(MakeServiceProbe(client_, config.service_admin_port)),
        reconciler_(
            *client_, *events_, [this](const std::string& ns) { return CopiesOf(ns); }, *history_, *patroni_,
            *write_path_, config.options, registry, SystemClock()) {}

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override {
    return reconciler_.Reconcile(request, stop);
  }

 private:
  FailoverReconciler::Copies CopiesOf(const std::string& ns) const {
    const auto of_namespace = copies_.find(ns);
    return of_namespace != copies_.end() ? of_namespace->second : copies_.begin()->second;
  }

  const std::shared_ptr<kube::Client> client_;
  const std::unique_ptr<kube::EventRecorder> events_;
  const std::map<std::string, FailoverReconciler::Copies> copies_;  // by namespace; "" = all
  const std::shared_ptr<PodHistory> history_;
  const std::shared_ptr<PatroniClient> patroni_;
  const std::shared_ptr<WritePathProbe> write_path_;
  FailoverReconciler reconciler_;
};

// Of a member's pod, or of their StatefulSet, which carries the same labels.
std::vector<runtime::Request> BackendOf(const kube::Json& object) {
  const std::optional<Scope> scope = ScopeOfPod(object);
  return scope ? std::vector{RequestOf(*scope)} : std::vector<runtime::Request>();
}

// Of the cluster only the wish for a switchover is read from the copy.
void TrimCluster(kube::Json& cluster) {
  cluster.erase("spec");
  cluster.erase("status");
}

// Of a StatefulSet only what says which of its pods are outdated.
void TrimServers(kube::Json& servers) {
  servers.erase("spec");
  if (servers.contains("metadata")) servers["metadata"].erase("annotations");
}

void TrimPod(kube::Json& pod) {
  pod.erase("spec");
  if (pod.contains("metadata")) pod["metadata"].erase("annotations");
}

}  // namespace

void AddFailoverController(runtime::Manager& manager, std::shared_ptr<kube::Client> client,
                           const FailoverConfig& config, metrics::Registry& registry) {
  auto history = std::make_shared<PodHistory>();
  std::vector<std::string> namespaces = config.namespaces;
  if (namespaces.empty()) namespaces.emplace_back();
  std::map<std::string, FailoverReconciler::Copies> copies;
  struct Informers {
    kube::Informer* clusters;
    kube::Informer* pods;
    kube::Informer* servers;
  };
  std::vector<Informers> informers;
  for (const std::string& ns : namespaces) {
    if (copies.contains(ns)) continue;
    kube::InformerOptions of_clusters;
    of_clusters.ns = ns;
    of_clusters.trim = TrimCluster;
    kube::Informer& clusters = manager.AddInformer(kube::kinds::kStorageCluster, std::move(of_clusters));
    kube::InformerOptions of_pods;
    of_pods.ns = ns;
    of_pods.label_selector = kMemberSelector;
    of_pods.indexed_label = kClusterLabel;
    of_pods.trim = TrimPod;
    kube::Informer& pods = manager.AddInformer(kube::kinds::kPod, std::move(of_pods));
    pods.AddHandler([history](const kube::ObjectPtr& old, const kube::ObjectPtr& current) {
      for (const kube::ObjectPtr& pod : {old, current}) {
        if (pod != nullptr) history->Observe(*pod);
      }
    });
    kube::InformerOptions of_servers;
    of_servers.ns = ns;
    of_servers.label_selector = kMemberSelector;
    of_servers.trim = TrimServers;
    kube::Informer& servers = manager.AddInformer(kube::kinds::kStatefulSet, std::move(of_servers));
    copies[ns] = {&clusters, &pods, &servers};
    informers.push_back({&clusters, &pods, &servers});
  }
  runtime::ControllerOptions options;
  options.name = "failover";
  options.workers = config.workers;
  // A first act that failed is tried again at once, and a server that is away is asked every two seconds.
  options.rate_limit.maximum = std::chrono::seconds{2};
  runtime::Controller& controller = manager.AddController(
      std::move(options),
      std::make_shared<OwningReconciler>(std::move(client), config, std::move(copies), history, registry));
  for (const auto& [clusters, pods, servers] : informers) {
    controller.Watch(*pods, BackendOf);
    controller.Watch(*servers, BackendOf);
    controller.Watch(*clusters, [pods = pods](const kube::Json& cluster) {
      const kube::ObjectKey key = kube::KeyOf(cluster);
      std::set<runtime::Request> backends;
      for (const kube::ObjectPtr& pod : pods->ListLabelled(key.ns, kClusterLabel, key.name)) {
        if (const std::optional<Scope> scope = ScopeOfPod(*pod)) backends.insert(RequestOf(*scope));
      }
      return std::vector<runtime::Request>(backends.begin(), backends.end());
    });
  }
}

}  // namespace holdfast::failover
