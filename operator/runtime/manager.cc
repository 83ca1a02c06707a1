#include "operator/runtime/manager.h"

#include <atomic>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "base/http/admin_listener.h"
#include "base/log/log.h"

namespace holdfast::runtime {
namespace {

// Threads that are told to stop and joined together.
class Crew {
 public:
  ~Crew() { StopAndJoin(); }

  void Start(std::function<void(std::stop_token)> work) { threads_.emplace_back(std::move(work)); }

  void StopAndJoin() {
    for (std::jthread& thread : threads_) thread.request_stop();  // all first: none waits for another's end
    threads_.clear();
  }

 private:
  std::vector<std::jthread> threads_;
};

void WaitForStop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait(lock, stop, [] { return false; });
}

}  // namespace

class Manager::State {
 public:
  State(ManagerOptions options, std::shared_ptr<kube::Client> client, metrics::Registry& registry)
      : options_(std::move(options)), client_(std::move(client)), registry_(registry) {}

  kube::Informer& AddInformer(kube::ResourceKind kind, kube::InformerOptions options) {
    return informers_.emplace_back(client_, std::move(kind), std::move(options));
  }

  Controller& AddController(ControllerOptions options, std::shared_ptr<Reconciler> reconciler) {
    return controllers_.emplace_back(std::move(options), std::move(reconciler), registry_);
  }

  Status Run(const std::stop_token& stop) {
    std::unique_ptr<http::AdminListener> admin;
    if (options_.admin) {
      HOLDFAST_ASSIGN_OR_RETURN(
          admin, http::AdminListener::Start(*options_.admin, {[this] { return Ready(); }, [this] { return Health(); }},
                                            registry_)
                     .WithContext("admin listener"));
      admin_port_.store(admin->port());
    }
    return RunControllers(stop);
  }

  std::uint16_t admin_port() const { return admin_port_.load(); }
  metrics::Registry& registry() const { return registry_; }

 private:
  enum class Phase { kStarting, kStandby, kWorking, kStopping };

  Status RunControllers(const std::stop_token& stop) {
    if (!options_.leader_election) {
      Work(stop);
      return {};
    }
    const auto& election = *options_.leader_election;
    metrics::Gauge& master = registry_.GetGauge("leader_election_master_status",
                                                "Whether this process holds the named lease (1) or waits for it (0).",
                                                {{"name", election.name}});
    master.Set(0);
    phase_.store(Phase::kStandby);
    Status status = kube::RunAsLeader(*client_, election, stop, [&](const std::stop_token& lead) {
      master.Set(1);
      Work(lead);
      master.Set(0);
    });
    phase_.store(Phase::kStopping);
    if (!status.ok()) log::Error("this process must end", {{"error", status.error().ToString()}});
    return status;
  }

  // Informers before controllers, which wait for them; in reverse at the end, so that no reconcile decides on a copy
  // that no longer fills.
  void Work(const std::stop_token& stop) {
    phase_.store(Phase::kWorking);
    Crew informers;
    for (kube::Informer& informer : informers_) {
      informers.Start([&informer](std::stop_token token) { informer.Run(std::move(token)); });
    }
    Crew controllers;
    for (Controller& controller : controllers_) {
      controllers.Start([&controller](std::stop_token token) { controller.Run(std::move(token)); });
    }
    WaitForStop(stop);
    phase_.store(Phase::kStopping);
    controllers.StopAndJoin();
    informers.StopAndJoin();
  }

  // A standby is ready: it does all that is asked of it, and a rolling update must be able to go on past it.
  Status Ready() const {
    switch (phase_.load()) {
      case Phase::kStarting:
        return Error(ErrorCode::kUnavailable, "starting");
      case Phase::kStandby:
        return {};
      case Phase::kStopping:
        return Error(ErrorCode::kUnavailable, "stopping");
      case Phase::kWorking:
        break;
    }
    for (const kube::Informer& informer : informers_) {
      if (!informer.HasSynced()) {
        return Error(ErrorCode::kUnavailable, "the first list of " + informer.kind().plural + " has not arrived");
      }
    }
    return {};
  }

  http::Health Health() const {
    kube::Json informers = kube::Json::object();
    for (const kube::Informer& informer : informers_) informers[informer.kind().plural] = informer.HasSynced();
    const Phase phase = phase_.load();
    const char* role = phase == Phase::kStandby ? "standby" : phase == Phase::kWorking ? "leader" : "none";
    const kube::Json body = {{"status", "ok"}, {"role", role}, {"informersSynced", std::move(informers)}};
    return {true, body.dump()};
  }

  const ManagerOptions options_;
  const std::shared_ptr<kube::Client> client_;
  metrics::Registry& registry_;
  // Lists: references given out stay good. Constant once Run has begun.
  std::list<kube::Informer> informers_;
  std::list<Controller> controllers_;
  std::atomic<Phase> phase_{Phase::kStarting};
  std::atomic<std::uint16_t> admin_port_{0};
};

Manager::Manager(ManagerOptions options, std::shared_ptr<kube::Client> client, metrics::Registry& registry)
    : state_(std::make_unique<State>(std::move(options), std::move(client), registry)) {}

Manager::~Manager() = default;

kube::Informer& Manager::AddInformer(kube::ResourceKind kind, kube::InformerOptions options) {
  return state_->AddInformer(std::move(kind), std::move(options));
}

Controller& Manager::AddController(ControllerOptions options, std::shared_ptr<Reconciler> reconciler) {
  return state_->AddController(std::move(options), std::move(reconciler));
}

Status Manager::Run(std::stop_token stop) {
  return state_->Run(stop);
}

metrics::Registry& Manager::registry() const {
  return state_->registry();
}

std::uint16_t Manager::admin_port() const {
  return state_->admin_port();
}

}  // namespace holdfast::runtime
