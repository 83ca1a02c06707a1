// Calls the maintenance of every PostgreSQL backend's schema while the service runs. Several instances may do so: the
// schema lets one of them work.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "service/settings.h"
#include "service/storage/periodic_task.h"

namespace holdfast::service {

class SchemaMaintenance {
 public:
  // `settings` outlives it. Starts a thread for each such backend, unless migrations.maintenance_interval is 0.
  explicit SchemaMaintenance(const ServiceSettings& settings);
  // Stops within a second; what was in progress is undone by the server.
  ~SchemaMaintenance();

 private:
  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<storage::PeriodicTask>> tasks_;
};

}  // namespace holdfast::service
