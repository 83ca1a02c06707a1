#include "operator/controllers/storagemigration/setup.h"

#include <map>
#include <utility>

#include "operator/controllers/storagemigration/metrics.h"
#include "operator/resources/names.h"

namespace holdfast::storagemigration {
namespace {

using CopiesByNamespace = std::map<std::string, const kube::Lister*>;  // "" = all

// Beside the reconciler it owns what the reconciler only refers to.
class OwningReconciler : public runtime::Reconciler {
 public:
  OwningReconciler(std::shared_ptr<kube::Client> client, const MigrationOptions& options, CopiesByNamespace copies,
                   metrics::Registry& registry)
      : client_(std::move(client)),
        events_(kube::MakeEventRecorder(client_, resources::kFieldManager)),
        copies_(std::move(copies)),
        service_(MakeServiceClient()),
        reconciler_(
            *client_, *events_,
            [this](const std::string& ns) -> const kube::Lister& {
              const auto of_namespace = copies_.find(ns);
              return of_namespace != copies_.end() ? *of_namespace->second : *copies_.begin()->second;
            },
            *service_, options, SystemClock()) {
    for (const auto& [ns, copy] : copies_) migrations_->push_back(copy);
    AddMigrationMetrics(registry, migrations_, SystemClock());
  }

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override {
    return reconciler_.Reconcile(request, stop);
  }

 private:
  const std::shared_ptr<kube::Client> client_;
  const std::unique_ptr<kube::EventRecorder> events_;
  const CopiesByNamespace copies_;
  const std::shared_ptr<ServiceClient> service_;
  const std::shared_ptr<MigrationListers> migrations_ = std::make_shared<MigrationListers>();
  MigrationReconciler reconciler_;
};

// That one has changed is all that is asked.
void TrimCluster(kube::Json& cluster) {
  cluster.erase("spec");
  cluster.erase("status");
}

// Those of the cluster that changed; a few objects, in memory.
runtime::Controller::Mapper MigrationsOf(const kube::Lister& migrations) {
  return [&migrations](const kube::Json& cluster) {
    const kube::ObjectKey key = kube::KeyOf(cluster);
    std::vector<runtime::Request> requests;
    for (const kube::ObjectPtr& migration : migrations.List(key.ns)) {
      if (kube::StringAt(*migration, "/spec/cluster") == key.name) requests.push_back(kube::KeyOf(*migration));
    }
    return requests;
  };
}

}  // namespace

void AddStorageMigrationController(runtime::Manager& manager, std::shared_ptr<kube::Client> client,
                                   const MigrationConfig& config) {
  struct Watched {
    kube::Informer* migrations;
    kube::Informer* clusters;
  };
  CopiesByNamespace copies;
  std::vector<Watched> watched;
  std::vector<std::string> namespaces = config.namespaces;
  if (namespaces.empty()) namespaces.emplace_back();
  for (const std::string& ns : namespaces) {
    if (copies.contains(ns)) continue;
    kube::InformerOptions of_migrations;
    of_migrations.ns = ns;
    kube::InformerOptions of_clusters;
    of_clusters.ns = ns;
    of_clusters.trim = TrimCluster;
    watched.push_back({&manager.AddInformer(kube::kinds::kStorageMigration, std::move(of_migrations)),
                       &manager.AddInformer(kube::kinds::kStorageCluster, std::move(of_clusters))});
    copies[ns] = watched.back().migrations;
  }
  runtime::ControllerOptions options;
  options.name = "storagemigration";
  options.workers = config.workers;
  options.rate_limit.maximum = std::chrono::seconds{10};
  runtime::Controller& controller = manager.AddController(
      std::move(options),
      std::make_shared<OwningReconciler>(std::move(client), config.options, std::move(copies), manager.registry()));
  for (const Watched& each : watched) {
    controller.Watch(*each.migrations, runtime::Controller::Self());
    controller.Watch(*each.clusters, MigrationsOf(*each.migrations));
  }
}

}  // namespace holdfast::storagemigration
