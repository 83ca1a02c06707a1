// What the operator tells about each cluster (docs/operator-metrics.md): its conditions, generations and pods, as the
// informers' copies have them when somebody asks. A cluster that is gone from the copies has no series.
#pragma once

#include <memory>
#include <vector>

#include "base/metrics/metrics.h"
#include "operator/kube/informer.h"

namespace holdfast::storagecluster {

// The copies of StorageClusters, one lister per watched namespace; no object is in two of them.
using ClusterListers = std::vector<const kube::Lister*>;

// The series stay for as long as `listers` is alive somewhere else, and its listers must live as long as that.
void AddClusterMetrics(metrics::Registry& registry, const std::weak_ptr<const ClusterListers>& listers);

}  // namespace holdfast::storagecluster
