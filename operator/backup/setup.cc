#include "operator/backup/setup.h"

#include <map>
#include <utility>

namespace holdfast::backup {
namespace {

constexpr char kRepositorySelector[] =
    "app.kubernetes.io/managed-by=holdfast-operator,storage.holdfast.dev/role=backup";
constexpr char kServerSelector[] = "app.kubernetes.io/managed-by=holdfast-operator,storage.holdfast.dev/role=postgres";

// Beside the reconciler it owns what the reconciler only refers to.
class OwningReconciler : public runtime::Reconciler {
 public:
  OwningReconciler(std::shared_ptr<kube::Client> client, const BackupOptions& options,
                   std::map<std::string, BackupReconciler::Copies> copies)
      : client_(std::move(client)),
        events_(kube::MakeEventRecorder(client_, "holdfast-operator")),
        copies_(std::move(copies)),
        repositories_(MakeRepositoryClient()),
        reconciler_(
            *client_, *events_, [this](const std::string& ns) { return CopiesOf(ns); }, *repositories_, options,
            SystemClock()) {}

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override {
    return reconciler_.Reconcile(request, stop);
  }

 private:
  BackupReconciler::Copies CopiesOf(const std::string& ns) const {
    const auto of_namespace = copies_.find(ns);
    return of_namespace != copies_.end() ? of_namespace->second : copies_.begin()->second;
  }

  const std::shared_ptr<kube::Client> client_;
  const std::unique_ptr<kube::EventRecorder> events_;
  const std::map<std::string, BackupReconciler::Copies> copies_;  // by namespace; "" = all
  const std::shared_ptr<RepositoryClient> repositories_;
  BackupReconciler reconciler_;
};

std::vector<runtime::Request> BackendOf(const kube::Json& object) {
  std::optional<runtime::Request> request = RequestOfPod(object);
  return request ? std::vector{*std::move(request)} : std::vector<runtime::Request>();
}

// Of the status only what was said here.
void TrimCluster(kube::Json& cluster) {
  static const kube::Json::json_pointer said("/status/backups");
  static const kube::Json::json_pointer moves("/status/moves");
  kube::Json status = kube::Json::object();
  if (cluster.contains(said)) status["backups"] = cluster.at(said);
  // By which the specification is read.
  if (cluster.contains(moves)) status["moves"] = cluster.at(moves);
  cluster["status"] = std::move(status);
}

void TrimPod(kube::Json& pod) {
  pod.erase("spec");
  if (pod.contains("metadata")) pod["metadata"].erase("annotations");
}

kube::Informer& Pods(runtime::Manager& manager, const std::string& ns, const char* selector) {
  kube::InformerOptions options;
  options.ns = ns;
  options.label_selector = selector;
  options.trim = TrimPod;
  return manager.AddInformer(kube::kinds::kPod, std::move(options));
}

}  // namespace

void AddBackupController(runtime::Manager& manager, std::shared_ptr<kube::Client> client, const BackupConfig& config) {
  std::vector<std::string> namespaces = config.namespaces;
  if (namespaces.empty()) namespaces.emplace_back();
  std::map<std::string, BackupReconciler::Copies> copies;
  std::vector<kube::Informer*> watched;
  for (const std::string& ns : namespaces) {
    if (copies.contains(ns)) continue;
    kube::InformerOptions of_clusters;
    of_clusters.ns = ns;
    of_clusters.trim = TrimCluster;
    kube::Informer& clusters = manager.AddInformer(kube::kinds::kStorageCluster, std::move(of_clusters));
    kube::Informer& repositories = Pods(manager, ns, kRepositorySelector);
    kube::Informer& servers = Pods(manager, ns, kServerSelector);
    copies[ns] = {&clusters, &repositories, &servers};
    watched.push_back(&repositories);
    // A backend that has backups no more is told of by its servers, which are made anew without them.
    watched.push_back(&servers);
  }
  runtime::ControllerOptions options;
  options.name = "backup";
  options.workers = config.workers;
  options.rate_limit.maximum = std::chrono::seconds{30};
  runtime::Controller& controller = manager.AddController(
      std::move(options), std::make_shared<OwningReconciler>(std::move(client), config.options, std::move(copies)));
  for (kube::Informer* pods : watched) controller.Watch(*pods, BackendOf);
}

}  // namespace holdfast::backup
