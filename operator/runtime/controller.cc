#include "operator/runtime/controller.h"

#include <exception>
#include <thread>
#include <utility>

#include "base/log/log.h"

namespace holdfast::runtime {
namespace {

// How often a controller that waits for its informers looks whether it has to stop.
constexpr std::chrono::milliseconds kSyncPoll{100};

// controller-runtime's buckets, in seconds.
const std::vector<double>& ReconcileBuckets() {
  static const std::vector<double> buckets{
      0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5,
      1.75,  2.0,  2.5,   3.0,  3.5, 4.0,  4.5, 5,    6,   7,    8,   9,    10,  15,  20,  25,  30,  40,  50,   60};
  return buckets;
}

// What came of one call; one label of controller_runtime_reconcile_total each.
enum class Ending { kSuccess, kRequeueAfter, kError };

struct ReconcileMetrics {
  ReconcileMetrics(metrics::Registry& registry, const std::string& controller)
      : success(Total(registry, controller, "success")),
        requeue_after(Total(registry, controller, "requeue_after")),
        error(Total(registry, controller, "error")),
        errors(registry.GetCounter("controller_runtime_reconcile_errors_total",
                                   "Total number of reconciliation errors per controller.",
                                   {{"controller", controller}})),
        panics(registry.GetCounter("controller_runtime_reconcile_panics_total",
                                   "Total number of exceptions that left a reconciler, per controller.",
                                   {{"controller", controller}})),
        time(registry.GetHistogram("controller_runtime_reconcile_time_seconds",
                                   "Length of time per reconciliation per controller.", {{"controller", controller}},
                                   ReconcileBuckets())),
        active_workers(registry.GetGauge("controller_runtime_active_workers",
                                         "Number of currently used workers per controller.",
                                         {{"controller", controller}})),
        max_concurrent(registry.GetGauge("controller_runtime_max_concurrent_reconciles",
                                         "Maximum number of concurrent reconciles per controller.",
                                         {{"controller", controller}})) {}

  static metrics::Counter& Total(metrics::Registry& registry, const std::string& controller, const char* result) {
    return registry.GetCounter("controller_runtime_reconcile_total", "Total number of reconciliations per controller.",
                               {{"controller", controller}, {"result", result}});
  }

  metrics::Counter& success;
  metrics::Counter& requeue_after;
  metrics::Counter& error;
  metrics::Counter& errors;
  metrics::Counter& panics;
  metrics::Histogram& time;
  metrics::Gauge& active_workers;
  metrics::Gauge& max_concurrent;
};

}  // namespace

class Controller::State {
 public:
  State(ControllerOptions options, std::shared_ptr<Reconciler> reconciler, metrics::Registry& registry)
      : options_(std::move(options)),
        reconciler_(std::move(reconciler)),
        metrics_(registry, options_.name),
        queue_(std::make_shared<WorkQueue>(options_.rate_limit, SystemClock(),
                                           WorkQueueMetrics::Of(registry, options_.name))) {
    metrics_.max_concurrent.Set(options_.workers);
    AddUnfinishedWorkMetrics(registry, options_.name, queue_);
  }

  void Watch(kube::Informer& informer, Mapper mapper, Predicate predicate) {
    informers_.push_back(&informer);
    // The queue is shared with the handler, which the informer may call after this controller has gone.
    informer.AddHandler([queue = queue_, mapper = std::move(mapper), predicate = std::move(predicate)](
                            const kube::ObjectPtr& old, const kube::ObjectPtr& current) {
      if (predicate && !predicate(old, current)) return;
      // Both states: an object that changed hands concerns its old owner as well.
      for (const kube::ObjectPtr& object : {old, current}) {
        if (object == nullptr) continue;
        for (const Request& request : mapper(*object)) queue->Add(request);
      }
    });
  }

  void Enqueue(const Request& request) { queue_->Add(request); }

  void Run(const std::stop_token& stop) {
    const std::stop_callback shut_down(stop, [this] { queue_->ShutDown(); });
    if (!WaitForInformers(stop)) return;
    log::Info("controller starts", {{"controller", options_.name}, {"workers", options_.workers}});
    std::vector<std::jthread> workers;
    for (int i = 0; i < options_.workers; ++i) {
      workers.emplace_back([this, &stop] {
        while (const auto request = queue_->Get()) Process(*request, stop);
      });
    }
  }

 private:
  bool WaitForInformers(const std::stop_token& stop) const {
    for (const kube::Informer* informer : informers_) {
      while (!informer->WaitForSync(Deadline::After(kSyncPoll))) {
        if (stop.stop_requested()) return false;
      }
    }
    return !stop.stop_requested();
  }

  void Process(const Request& request, const std::stop_token& stop) {
    metrics_.active_workers.Add(1);
    const auto began = std::chrono::steady_clock::now();
    const Result<Outcome> outcome = Call(request, stop);
    metrics_.time.Observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    Settle(request, outcome, stop);
    queue_->Done(request);
    metrics_.active_workers.Add(-1);
  }

  // One object's poison must not end the others' controller.
  Result<Outcome> Call(const Request& request, const std::stop_token& stop) {
    try {
      return reconciler_->Reconcile(request, stop);
    } catch (const std::exception& exception) {
      metrics_.panics.Increment();
      return Error(ErrorCode::kInternal, std::string("the reconciler threw: ") + exception.what());
    } catch (...) {
      metrics_.panics.Increment();
      return Error(ErrorCode::kInternal, "the reconciler threw something that is no exception");
    }
  }

  static Ending EndingOf(const Result<Outcome>& outcome) {
    if (!outcome.ok()) return Ending::kError;
    return outcome->requeue_after ? Ending::kRequeueAfter : Ending::kSuccess;
  }

  // The one place where an outcome becomes a queue action and a label.
  void Settle(const Request& request, const Result<Outcome>& outcome, const std::stop_token& stop) {
    switch (EndingOf(outcome)) {
      case Ending::kSuccess:
        queue_->Forget(request);
        metrics_.success.Increment();
        return;
      case Ending::kRequeueAfter:
        queue_->Forget(request);
        queue_->AddAfter(request, *outcome->requeue_after);
        metrics_.requeue_after.Increment();
        return;
      case Ending::kError:
        // Interrupted by our own stop: the next leader or the next start takes it up.
        if (stop.stop_requested()) return;
        queue_->AddRateLimited(request);
        metrics_.error.Increment();
        metrics_.errors.Increment();
        Report(request, outcome.error());
        return;
    }
  }

  void Report(const Request& request, const Error& error) const {
    // Somebody else wrote first: the ordinary way of two writers, nobody need be told.
    const log::Level level = error.code() == ErrorCode::kVersionConflict ? log::Level::kDebug : log::Level::kWarn;
    if (!log::Enabled(level)) return;
    log::Write(level, "reconcile failed and will be tried again",
               {{"controller", options_.name},
                {"request", request.ToString()},
                {"failures", queue_->Failures(request)},
                {"error", error.ToString()}});
  }

  const ControllerOptions options_;
  const std::shared_ptr<Reconciler> reconciler_;
  ReconcileMetrics metrics_;
  const std::shared_ptr<WorkQueue> queue_;
  std::vector<kube::Informer*> informers_;  // constant once Run has begun
};

Controller::Controller(ControllerOptions options, std::shared_ptr<Reconciler> reconciler, metrics::Registry& registry)
    : state_(std::make_unique<State>(std::move(options), std::move(reconciler), registry)) {}

Controller::~Controller() = default;

Controller::Mapper Controller::Self() {
  return [](const kube::Json& object) { return std::vector<Request>{kube::KeyOf(object)}; };
}

Controller::Mapper Controller::Owner(const kube::ResourceKind& kind) {
  return [kind](const kube::Json& object) {
    std::vector<Request> requests;
    const kube::Json::json_pointer path("/metadata/ownerReferences");
    if (!object.contains(path) || !object.at(path).is_array()) return requests;
    for (const kube::Json& owner : object.at(path)) {
      const std::string api_version = kube::StringAt(owner, "/apiVersion");
      // The version may differ from ours, the group is what makes it the same kind.
      const std::size_t slash = api_version.find('/');
      const std::string group = slash == std::string::npos ? "" : api_version.substr(0, slash);
      const bool controls = owner.is_object() && owner.value("controller", kube::Json(false)) == kube::Json(true);
      if (!controls || group != kind.group || kube::StringAt(owner, "/kind") != kind.kind) continue;
      requests.push_back({kind.namespaced ? kube::KeyOf(object).ns : "", kube::StringAt(owner, "/name")});
    }
    return requests;
  };
}

void Controller::Watch(kube::Informer& informer, Mapper mapper, Predicate predicate) {
  state_->Watch(informer, std::move(mapper), std::move(predicate));
}

void Controller::Enqueue(const Request& request) {
  state_->Enqueue(request);
}

void Controller::Run(std::stop_token stop) {
  state_->Run(stop);
}

}  // namespace holdfast::runtime
