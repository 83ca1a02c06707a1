// What is counted of the checkpoints of a store.
#pragma once

#include <string>

#include "base/metrics/metrics.h"

namespace holdfast::durability {

struct CheckpointMetrics {
  CheckpointMetrics(const std::string& store, metrics::Registry& registry);

  metrics::Counter& taken;
  metrics::Counter& failed;
  metrics::Counter& restored;
  metrics::Counter& not_restored;
  metrics::Counter& damaged;
  metrics::Histogram& duration;
  metrics::Gauge& stored;
  metrics::Gauge& newest;
  metrics::Gauge& entries;
  metrics::Gauge& bytes;
  metrics::Gauge& restoring;
};

}  // namespace holdfast::durability
