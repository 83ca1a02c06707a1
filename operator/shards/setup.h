// Adds the controller that puts Redis Clusters together to a manager: a queue and workers of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "operator/kube/client.h"
#include "operator/runtime/manager.h"
#include "operator/shards/reconciler.h"

namespace holdfast::shards {

struct ShardsConfig {
  // Empty = all namespaces.
  std::vector<std::string> namespaces;
  int workers = 4;
  ShardOptions options;
};

void AddShardController(runtime::Manager& manager, std::shared_ptr<kube::Client> client, const ShardsConfig& config,
                        metrics::Registry& registry);

}  // namespace holdfast::shards
