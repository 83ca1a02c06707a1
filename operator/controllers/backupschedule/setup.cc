#include "operator/controllers/backupschedule/setup.h"

#include <map>
#include <utility>

#include "operator/api/v1/backup_schedule.h"
#include "operator/controllers/backupschedule/metrics.h"
#include "operator/resources/names.h"

namespace holdfast::backupschedule {
namespace {

// Beside the reconciler it owns what the reconciler only refers to.
class OwningReconciler : public runtime::Reconciler {
 public:
  OwningReconciler(std::shared_ptr<kube::Client> client, const ScheduleOptions& options,
                   std::map<std::string, ScheduleReconciler::Copies> copies, metrics::Registry& registry)
      : client_(std::move(client)),
        events_(kube::MakeEventRecorder(client_, resources::kFieldManager)),
        copies_(std::move(copies)),
        reconciler_(
            *client_, *events_,
            [this](const std::string& ns) {
              const auto of_namespace = copies_.find(ns);
              return of_namespace != copies_.end() ? of_namespace->second : copies_.begin()->second;
            },
            options, SystemClock()) {
    for (const auto& [ns, copy] : copies_) clusters_->push_back(copy.clusters);
    AddScheduleMetrics(registry, clusters_);
  }

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override {
    return reconciler_.Reconcile(request, stop);
  }

 private:
  const std::shared_ptr<kube::Client> client_;
  const std::unique_ptr<kube::EventRecorder> events_;
  const std::map<std::string, ScheduleReconciler::Copies> copies_;  // by namespace; "" = all
  const std::shared_ptr<ClusterListers> clusters_ = std::make_shared<ClusterListers>();
  ScheduleReconciler reconciler_;
};

std::vector<runtime::Request> ClusterOf(const kube::Json& backup) {
  const std::string cluster = kube::LabelOf(backup, resources::kClusterLabel);
  if (cluster.empty()) return {};
  return {{kube::KeyOf(backup).ns, cluster}};
}

// Of the status only what was said here, and by what the specification is read.
void TrimCluster(kube::Json& cluster) {
  kube::Json status = kube::Json::object();
  for (const char* kept : {api::kBackupSchedulesStatus, "moves"}) {
    const kube::Json::json_pointer pointer(std::string("/status/") + kept);
    if (cluster.contains(pointer)) status[kept] = cluster.at(pointer);
  }
  cluster["status"] = std::move(status);
}

}  // namespace

void AddBackupScheduleController(runtime::Manager& manager, std::shared_ptr<kube::Client> client,
                                 const ScheduleConfig& config) {
  std::vector<std::string> namespaces = config.namespaces;
  if (namespaces.empty()) namespaces.emplace_back();
  struct Watched {
    kube::Informer* clusters;
    kube::Informer* backups;
  };
  std::map<std::string, Watched> watched;
  std::map<std::string, ScheduleReconciler::Copies> copies;
  for (const std::string& ns : namespaces) {
    if (copies.contains(ns)) continue;
    kube::InformerOptions of_clusters;
    of_clusters.ns = ns;
    of_clusters.trim = TrimCluster;
    kube::InformerOptions of_backups;
    of_backups.ns = ns;
    of_backups.label_selector = api::kBackupScheduleLabel;
    of_backups.indexed_label = resources::kClusterLabel;
    of_backups.trim = [](kube::Json& backup) { backup.erase("spec"); };
    watched[ns] = {&manager.AddInformer(kube::kinds::kStorageCluster, std::move(of_clusters)),
                   &manager.AddInformer(kube::kinds::kStorageBackup, std::move(of_backups))};
    copies[ns] = {watched[ns].clusters, watched[ns].backups};
  }
  runtime::ControllerOptions options;
  options.name = "backupschedule";
  options.workers = config.workers;
  options.rate_limit.maximum = std::chrono::seconds{30};
  runtime::Controller& controller = manager.AddController(
      std::move(options),
      std::make_shared<OwningReconciler>(std::move(client), config.options, std::move(copies), manager.registry()));
  for (const auto& [ns, informers] : watched) {
    controller.Watch(*informers.clusters, runtime::Controller::Self());
    controller.Watch(*informers.backups, ClusterOf);
  }
}

}  // namespace holdfast::backupschedule
