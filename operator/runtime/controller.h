// A controller: informers feed names into a work queue, workers call the reconciler. One switch maps each outcome to
// what happens to the item and to the label of controller_runtime_reconcile_total.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "operator/kube/informer.h"
#include "operator/runtime/reconciler.h"
#include "operator/runtime/work_queue.h"

namespace holdfast::runtime {

struct ControllerOptions {
  std::string name;  // the metrics' label: "storagecluster"
  int workers = 4;
  RateLimit rate_limit;
};

class Controller {
 public:
  Controller(ControllerOptions options, std::shared_ptr<Reconciler> reconciler, metrics::Registry& registry);
  ~Controller();

  // Which requests an object's change asks for; empty = none.
  using Mapper = std::function<std::vector<Request>(const kube::Json& object)>;
  static Mapper Self();
  // The controlling owner of that kind.
  static Mapper Owner(const kube::ResourceKind& kind);
  // Skips changes that no reconcile could care about; called with both states for an update.
  using Predicate = std::function<bool(const kube::ObjectPtr& old, const kube::ObjectPtr& current)>;

  // Before Run only. The informer must outlive the controller.
  void Watch(kube::Informer& informer, Mapper mapper, Predicate predicate = {});
  void Enqueue(const Request& request);

  // Waits for the informers to sync, then works until `stop`; returns when the last worker has finished.
  void Run(std::stop_token stop);

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::runtime
