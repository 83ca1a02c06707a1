// Adds the controller that watches Redis' sentinels to a manager: a queue and workers of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "operator/kube/client.h"
#include "operator/runtime/manager.h"
#include "operator/sentinel/reconciler.h"

namespace holdfast::sentinel {

struct SentinelConfig {
  // Empty = all namespaces.
  std::vector<std::string> namespaces;
  int workers = 4;
  SentinelOptions options;
};

void AddSentinelController(runtime::Manager& manager, std::shared_ptr<kube::Client> client,
                           const SentinelConfig& config, metrics::Registry& registry);

}  // namespace holdfast::sentinel
