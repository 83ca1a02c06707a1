#include "operator/controllers/storagebackup/setup.h"

#include <map>
#include <utility>

#include "operator/controllers/storagebackup/backup_reconciler.h"
#include "operator/controllers/storagebackup/metrics.h"
#include "operator/controllers/storagebackup/restore_reconciler.h"
#include "operator/resources/names.h"

namespace holdfast::storagebackup {
namespace {

using CopiesByNamespace = std::map<std::string, kube::Informer*>;  // "" = all

// What both controllers use, for as long as one of them is there.
struct Shared {
  std::shared_ptr<kube::Client> client;
  std::unique_ptr<kube::EventRecorder> events;
  std::shared_ptr<ServiceClient> service;
  std::shared_ptr<RunListers> backups = std::make_shared<RunListers>();
  std::shared_ptr<RunListers> restores = std::make_shared<RunListers>();
};

// Beside the reconciler it owns what the reconciler only refers to.
template <typename Kind>
class Owning : public runtime::Reconciler {
 public:
  Owning(std::shared_ptr<Shared> shared, CopiesByNamespace copies, const RunOptions& options)
      : shared_(std::move(shared)),
        copies_(std::move(copies)),
        reconciler_({.client = *shared_->client,
                     .events = *shared_->events,
                     .copies_of = [this](const std::string& ns) -> const kube::Lister& {
                       const auto of_namespace = copies_.find(ns);
                       return of_namespace != copies_.end() ? *of_namespace->second : *copies_.begin()->second;
                     },
                     .service = *shared_->service,
                     .clock = SystemClock()},
                    options) {}

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override {
    return reconciler_.Reconcile(request, stop);
  }

 private:
  const std::shared_ptr<Shared> shared_;
  const CopiesByNamespace copies_;
  Kind reconciler_;
};

template <typename Kind>
void AddController(runtime::Manager& manager, const char* name, const kube::ResourceKind& kind,
                   const std::shared_ptr<Shared>& shared, RunListers& listers, const RunConfig& config) {
  CopiesByNamespace copies;
  std::vector<std::string> namespaces = config.namespaces;
  if (namespaces.empty()) namespaces.emplace_back();
  for (const std::string& ns : namespaces) {
    if (copies.contains(ns)) continue;
    kube::InformerOptions options;
    options.ns = ns;
    copies[ns] = &manager.AddInformer(kind, std::move(options));
    listers.push_back(copies[ns]);
  }
  runtime::ControllerOptions options;
  options.name = name;
  options.workers = config.workers;
  options.rate_limit.maximum = std::chrono::seconds{10};
  runtime::Controller& controller =
      manager.AddController(std::move(options), std::make_shared<Owning<Kind>>(shared, copies, config.options));
  for (const auto& [ns, informer] : copies) controller.Watch(*informer, runtime::Controller::Self());
}

}  // namespace

void AddStorageBackupControllers(runtime::Manager& manager, std::shared_ptr<kube::Client> client,
                                 const RunConfig& config) {
  auto shared = std::make_shared<Shared>();
  shared->events = kube::MakeEventRecorder(client, resources::kFieldManager);
  shared->client = std::move(client);
  shared->service = MakeServiceClient();
  AddRunMetrics(manager.registry(), shared->backups, shared->restores, SystemClock());
  AddController<BackupReconciler>(manager, "storagebackup", kube::kinds::kStorageBackup, shared, *shared->backups,
                                  config);
  AddController<RestoreReconciler>(manager, "storagerestore", kube::kinds::kStorageRestore, shared, *shared->restores,
                                   config);
}

}  // namespace holdfast::storagebackup
