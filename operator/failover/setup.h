// Adds the failover controller to a manager: a queue and workers of its own, fed by its own watch of PostgreSQL's pods,
// so that nothing else the operator does delays it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "operator/failover/reconciler.h"
#include "operator/kube/client.h"
#include "operator/runtime/manager.h"

namespace holdfast::failover {

struct FailoverConfig {
  // Empty = all namespaces.
  std::vector<std::string> namespaces;
  int workers = 4;
  std::uint16_t service_admin_port = 9090;
  PatroniClientOptions patroni;
  FailoverOptions options;
};

void AddFailoverController(runtime::Manager& manager, std::shared_ptr<kube::Client> client,
                           const FailoverConfig& config, metrics::Registry& registry);

}  // namespace holdfast::failover
