#include "operator/controllers/storagecluster/setup.h"

#include <map>
#include <utility>

#include "operator/controllers/storagecluster/cluster_metrics.h"
#include "operator/resources/build.h"
#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

ControllerConfig AskingThePods(ControllerConfig config) {
  if (config.volume_probe == nullptr) config.volume_probe = MakeVolumeProbe();
  return config;
}

// Beside the reconciler it owns what the reconciler only refers to.
class OwningReconciler : public runtime::Reconciler {
 public:
  OwningReconciler(std::shared_ptr<kube::Client> client, const ControllerConfig& config,
                   std::map<std::string, Copies> copies, metrics::Registry& registry)
      : client_(std::move(client)),
        events_(kube::MakeEventRecorder(client_, resources::kFieldManager)),
        copies_(std::move(copies)),
        reconciler_(
            *client_, *events_, [this](const std::string& ns) -> const Copies& { return CopiesOf(ns); },
            AskingThePods(config), SystemClock()) {
    for (const auto& [ns, copy] : copies_) clusters_->push_back(copy.clusters);
    AddClusterMetrics(registry, clusters_);
  }

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override {
    return reconciler_.Reconcile(request, stop);
  }

 private:
  const Copies& CopiesOf(const std::string& ns) const {
    const auto of_namespace = copies_.find(ns);
    return of_namespace != copies_.end() ? of_namespace->second : copies_.begin()->second;
  }

  const std::shared_ptr<kube::Client> client_;
  const std::unique_ptr<kube::EventRecorder> events_;
  const std::map<std::string, Copies> copies_;  // by namespace; "" = all
  const std::shared_ptr<ClusterListers> clusters_ = std::make_shared<ClusterListers>();
  ClusterReconciler reconciler_;
};

// Children, claims and pods all name their cluster in a label; claims and pods have no owner reference to it.
std::vector<runtime::Request> ClusterOf(const kube::Json& object) {
  const std::string cluster = kube::LabelOf(object, resources::kClusterLabel);
  if (cluster.empty()) return {};
  return {{kube::KeyOf(object).ns, cluster}};
}

// Of a pod only who it is and how it is doing is read.
void TrimPod(kube::Json& pod) {
  pod.erase("spec");
  if (pod.contains("metadata")) pod["metadata"].erase("annotations");
}

}  // namespace

Copies CopiesFrom(const AddLister& add) {
  Copies copies;
  copies.clusters = add(kube::kinds::kStorageCluster, false, {});
  for (const kube::ResourceKind& kind : resources::ChildKinds()) copies.children[kind] = add(kind, true, {});
  copies.claims = add(kube::kinds::kPersistentVolumeClaim, true, {});
  copies.pods = add(kube::kinds::kPod, true, TrimPod);
  return copies;
}

void AddStorageClusterController(runtime::Manager& manager, std::shared_ptr<kube::Client> client,
                                 const ControllerConfig& config) {
  struct Watched {
    kube::Informer* informer;
    runtime::Controller::Mapper mapper;
  };
  std::vector<Watched> watched;
  std::map<std::string, Copies> copies;
  std::vector<std::string> namespaces = config.namespaces;
  if (namespaces.empty()) namespaces.emplace_back();
  for (const std::string& ns : namespaces) {
    if (copies.contains(ns)) continue;
    copies[ns] = CopiesFrom([&](const kube::ResourceKind& kind, bool ours_only, std::function<void(Json&)> trim) {
      kube::InformerOptions options;
      options.ns = ns;
      if (ours_only) {
        options.label_selector = resources::kManagedBySelector;
        options.indexed_label = resources::kClusterLabel;
      }
      options.trim = std::move(trim);
      kube::Informer& informer = manager.AddInformer(kind, std::move(options));
      watched.push_back({&informer, ours_only ? ClusterOf : runtime::Controller::Self()});
      return &informer;
    });
  }
  runtime::ControllerOptions options;
  options.name = "storagecluster";
  options.workers = config.workers;
  runtime::Controller& controller = manager.AddController(
      std::move(options),
      std::make_shared<OwningReconciler>(std::move(client), config, std::move(copies), manager.registry()));
  for (Watched& watch : watched) controller.Watch(*watch.informer, std::move(watch.mapper));
}

}  // namespace holdfast::storagecluster
