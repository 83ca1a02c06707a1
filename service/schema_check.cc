#include "service/schema_check.h"

#include <fmt/format.h>

#include <thread>

#include "base/log/log.h"
#include "service/migrations/migrator.h"
#include "service/settings_postgres.h"

namespace holdfast::service {
namespace {

constexpr std::chrono::milliseconds kPause{500};
constexpr std::chrono::milliseconds kSlice{50};  // how soon a stop is noticed

Status CheckSchema(const storage::PostgresOptions& options) {
  HOLDFAST_ASSIGN_OR_RETURN(const migrations::Target target, TargetOf(options, Way::kAsTheService));
  HOLDFAST_ASSIGN_OR_RETURN(const migrations::SchemaState state,
                            migrations::ReadSchemaState(target, migrations::MigrationSet::BuiltIn(),
                                                        Deadline::After(options.connect_timeout)));
  return migrations::CheckServable(state);
}

bool MayPass(const Status& status) {
  return status.error().code() == ErrorCode::kUnavailable || status.error().code() == ErrorCode::kDeadlineExceeded;
}

Status CheckWhenReachable(const std::string& name, const storage::PostgresOptions& options, Deadline deadline,
                          const std::function<bool()>& stop) {
  bool told = false;
  while (true) {
    Status status = CheckSchema(options);
    if (status.ok() || !MayPass(status) || deadline.Expired()) return status;
    if (!told) log::Warn("waiting for a backend", {{"backend", name}, {"reason", status.error().message()}});
    told = true;
    const Deadline pause = Deadline::After(kPause).Sooner(deadline);
    while (!pause.Expired()) {
      if (stop()) return Error(ErrorCode::kCancelled, "stopped before the backends were opened");
      std::this_thread::sleep_for(kSlice);
    }
  }
}

}  // namespace

Result<migrations::Target> TargetOf(const storage::PostgresOptions& options, Way way) {
  migrations::Target target;
  target.schema = options.schema;
  target.url = way == Way::kDirect && !options.direct_url.empty() ? options.direct_url : options.url;
  if (!options.password_file.empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(target.password, FirstLine(options.password_file));
  }
  return target;
}

Status CheckSchemas(const ServiceSettings& settings, const std::function<bool()>& stop) {
  const Deadline deadline = Deadline::After(settings.start_timeout);
  for (const BackendSettings& backend : settings.backends) {
    const auto* options = std::get_if<storage::PostgresOptions>(&backend.options);
    if (options == nullptr) continue;
    HOLDFAST_RETURN_IF_ERROR(CheckWhenReachable(backend.name, *options, deadline, stop)
                                 .WithContext(fmt::format("opening backend {}", backend.name)));
  }
  return {};
}

}  // namespace holdfast::service
