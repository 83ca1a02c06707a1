// What Prometheus is told of StorageBackups and StorageRestores, from the informers' copies.
#pragma once

#include <memory>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/time/clock.h"
#include "operator/kube/informer.h"

namespace holdfast::storagebackup {

// One lister per watched namespace; no object is in two of them.
using RunListers = std::vector<const kube::Lister*>;

// The series stay for as long as the listers are alive somewhere else, and these must live as long as that.
void AddRunMetrics(metrics::Registry& registry, const std::weak_ptr<const RunListers>& backups,
                   const std::weak_ptr<const RunListers>& restores, const Clock& clock);

}  // namespace holdfast::storagebackup
