#include "service/schema_maintenance.h"

#include <algorithm>

#include "base/log/log.h"
#include "service/migrations/maintenance.h"
#include "service/migrations/vacuum.h"
#include "service/schema_check.h"
#include "service/value_storage.h"

namespace holdfast::service {
namespace {

Result<std::string> Maintain(const storage::PostgresOptions& options, const std::atomic<bool>& stopping) {
  // As the service: past a pooler there may be no way, and none is needed.
  HOLDFAST_ASSIGN_OR_RETURN(const migrations::Target target, TargetOf(options, Way::kAsTheService));
  migrations::MaintenanceOptions maintenance;
  maintenance.connect_timeout = options.connect_timeout;
  maintenance.stop = [&stopping] { return stopping.load(); };
  HOLDFAST_ASSIGN_OR_RETURN(const auto done, migrations::Maintain(target, maintenance));
  std::string problem;
  for (const migrations::Maintained& task : done) {
    if (!task.problem.empty()) problem += task.task + ": " + task.problem + "; ";
  }
  return problem;
}

Result<std::string> Vacuum(const storage::PostgresOptions& options, const MigrationSettings& settings,
                           const std::atomic<bool>& stopping) {
  HOLDFAST_ASSIGN_OR_RETURN(const migrations::Target target, TargetOf(options, Way::kDirect));
  constexpr double kPercent = 100;
  migrations::VacuumOptions vacuum;
  vacuum.dead_rows = settings.vacuum_dead_rows;
  vacuum.dead_share = static_cast<double>(settings.vacuum_dead_percent) / kPercent;
  vacuum.own_session = !options.pooled || !options.direct_url.empty();
  vacuum.connect_timeout = options.connect_timeout;
  vacuum.stop = [&stopping] { return stopping.load(); };
  HOLDFAST_ASSIGN_OR_RETURN(const migrations::Vacuumed done, migrations::Vacuum(target, vacuum));
  for (const std::string& table : done.tables) log::Info("a table was vacuumed", {{"table", table}});
  return done.problem;
}

}  // namespace

void SchemaMaintenance::Start(std::chrono::milliseconds interval, const std::string& backend, const char* what,
                              Work work) {
  // Said once, and again when it changes: a server that is away is away for many runs.
  auto complaint = std::make_shared<std::string>();
  tasks_.push_back(
      std::make_unique<storage::PeriodicTask>(interval, [this, backend, what, work = std::move(work), complaint] {
        const Result<std::string> done = work();
        if (stopping_) return;
        std::string problem = done.ok() ? *done : done.error().message();
        if (!problem.empty() && problem != *complaint) log::Warn(what, {{"backend", backend}, {"problem", problem}});
        *complaint = std::move(problem);
      }));
}

SchemaMaintenance::SchemaMaintenance(const ServiceSettings& settings, const std::vector<std::string>& unsaid) {
  const MigrationSettings& migrations = settings.migrations;
  if (migrations.maintenance_interval == std::chrono::milliseconds::zero()) return;
  for (const BackendSettings& backend : settings.backends) {
    const auto* options = std::get_if<storage::PostgresOptions>(&backend.options);
    if (options == nullptr) continue;
    Start(migrations.maintenance_interval, backend.name, "maintenance of a schema failed, and is tried again",
          [this, options] { return Maintain(*options, stopping_); });
    if (std::find(unsaid.begin(), unsaid.end(), backend.name) != unsaid.end()) {
      Start(migrations.maintenance_interval, backend.name, "values are not yet kept as the settings say",
            [this, &backend, &migrations, said = false]() mutable -> Result<std::string> {
              std::string reason;
              if (said) return reason;
              HOLDFAST_ASSIGN_OR_RETURN(said, SayValueStorage(
                                                  backend, migrations, [this] { return stopping_.load(); }, &reason));
              return reason;
            });
    }
    // Apart from the rest: a large table takes its time.
    if (migrations.vacuum_dead_rows == 0) continue;
    Start(migrations.maintenance_interval, backend.name, "the vacuum of a schema failed, and is tried again",
          [this, options, &migrations] { return Vacuum(*options, migrations, stopping_); });
  }
}

SchemaMaintenance::~SchemaMaintenance() {
  stopping_ = true;
}

}  // namespace holdfast::service
