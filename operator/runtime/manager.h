// Starts and stops what an operator consists of, in this order, and stops it in the reverse:
//   1. admin listener (probes answer before anything else can fail)
//   2. leader election, when asked for: everything below starts only on the leader
//   3. informers (their lists are what controllers decide on)
//   4. controllers, once their informers have synced
// On losing the lease the process must end (Run returns an error): a second leader may be writing already. On stop:
// controllers finish the item at hand, then informers, then the lease is released, so that the next leader need not
// wait for it to expire. /readyz is 503 until the informers have synced and again while stopping; a standby is ready.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/http/http_listener.h"
#include "base/metrics/metrics.h"
#include "base/result/result.h"
#include "operator/kube/client.h"
#include "operator/kube/informer.h"
#include "operator/kube/leader_election.h"
#include "operator/runtime/controller.h"

namespace holdfast::runtime {

struct ManagerOptions {
  std::optional<kube::LeaderElectionOptions> leader_election;
  std::optional<http::ListenerOptions> admin;  // /livez /readyz /healthz /metrics
};

class Manager {
 public:
  Manager(ManagerOptions options, std::shared_ptr<kube::Client> client, metrics::Registry& registry);
  ~Manager();

  // Before Run only. References stay good for the manager's life.
  kube::Informer& AddInformer(kube::ResourceKind kind, kube::InformerOptions options = {});
  Controller& AddController(ControllerOptions options, std::shared_ptr<Reconciler> reconciler);

  // Where what is added tells about itself; the one given to the constructor.
  metrics::Registry& registry() const;

  // Blocks until `stop` (ok) or until it cannot go on: the admin port is taken, the lease was lost. Once.
  Status Run(std::stop_token stop);
  // 0 until the admin listener answers.
  std::uint16_t admin_port() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::runtime
