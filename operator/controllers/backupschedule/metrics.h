// What Prometheus is told of schedules of backups (docs/operator-metrics.md), from the informers' copies.
#pragma once

#include <memory>
#include <vector>

#include "base/metrics/metrics.h"
#include "operator/kube/informer.h"

namespace holdfast::backupschedule {

// Of StorageClusters, one per watched namespace; no object is in two of them.
using ClusterListers = std::vector<const kube::Lister*>;

// The series stay for as long as the listers are alive somewhere else, and these must live as long as that.
void AddScheduleMetrics(metrics::Registry& registry, const std::weak_ptr<const ClusterListers>& clusters);

}  // namespace holdfast::backupschedule
