// What Prometheus is told of StorageMigrations, from the informers' copies.
#pragma once

#include <memory>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/time/clock.h"
#include "operator/kube/informer.h"

namespace holdfast::storagemigration {

// One lister per watched namespace; no object is in two of them.
using MigrationListers = std::vector<const kube::Lister*>;

// The series stay for as long as `listers` is alive somewhere else, and its listers must live as long as that.
void AddMigrationMetrics(metrics::Registry& registry, const std::weak_ptr<const MigrationListers>& listers,
                         const Clock& clock);

}  // namespace holdfast::storagemigration
