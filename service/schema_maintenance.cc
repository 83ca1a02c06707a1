#include "service/schema_maintenance.h"

#include <string>

#include "base/log/log.h"
#include "service/migrations/maintenance.h"
#include "service/schema_check.h"

namespace holdfast::service {
namespace {

Result<std::vector<migrations::Maintained>> Run(const storage::PostgresOptions& options,
                                                const std::atomic<bool>& stopping) {
  // As the service: past a pooler there may be no way, and none is needed.
  HOLDFAST_ASSIGN_OR_RETURN(const migrations::Target target, TargetOf(options, Way::kAsTheService));
  migrations::MaintenanceOptions maintenance;
  maintenance.connect_timeout = options.connect_timeout;
  maintenance.stop = [&stopping] { return stopping.load(); };
  return migrations::Maintain(target, maintenance);
}

}  // namespace

SchemaMaintenance::SchemaMaintenance(const ServiceSettings& settings) {
  if (settings.migrations.maintenance_interval == std::chrono::milliseconds::zero()) return;
  for (const BackendSettings& backend : settings.backends) {
    const auto* options = std::get_if<storage::PostgresOptions>(&backend.options);
    if (options == nullptr) continue;
    // Said once, and again when it changes: a server that is away is away for many runs.
    auto complaint = std::make_shared<std::string>();
    tasks_.push_back(std::make_unique<storage::PeriodicTask>(
        settings.migrations.maintenance_interval, [this, &backend, options, complaint] {
          const auto done = Run(*options, stopping_);
          if (stopping_) return;
          std::string problem = done.ok() ? "" : done.error().message();
          if (done.ok()) {
            for (const migrations::Maintained& task : *done) {
              if (!task.problem.empty()) problem += task.task + ": " + task.problem + "; ";
            }
          }
          if (!problem.empty() && problem != *complaint) {
            log::Warn("maintenance of a schema failed, and is tried again",
                      {{"backend", backend.name}, {"problem", problem}});
          }
          *complaint = std::move(problem);
        }));
  }
}

SchemaMaintenance::~SchemaMaintenance() {
  stopping_ = true;
}

}  // namespace holdfast::service
