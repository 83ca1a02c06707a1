#include "service/value_storage.h"

#include <fmt/format.h>

#include "base/log/log.h"
#include "service/schema_check.h"

namespace holdfast::service {
namespace {

bool MayPass(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded || code == ErrorCode::kCancelled;
}

}  // namespace

Result<bool> SayValueStorage(const BackendSettings& backend, const MigrationSettings& settings,
                             const std::function<bool()>& stop, std::string* reason) {
  const auto* options = std::get_if<storage::PostgresOptions>(&backend.options);
  if (options == nullptr || !backend.value_storage.asks()) return true;
  // As the service: the settings go with the transaction, so a pooler is no hindrance.
  HOLDFAST_ASSIGN_OR_RETURN(const migrations::Target target, TargetOf(*options, Way::kAsTheService));
  migrations::ValueStorageOptions how;
  how.connect_timeout = options->connect_timeout;
  how.lock_timeout = settings.lock_timeout;
  how.stop = stop;
  const Result<bool> altered = migrations::ApplyValueStorage(target, backend.value_storage, how);
  if (altered.ok()) {
    if (*altered) log::Info("values are kept as the settings say from now on", {{"backend", backend.name}});
    return true;
  }
  if (!MayPass(altered.error().code())) {
    return Error(altered.error()).WithContext(fmt::format("opening backend {}", backend.name));
  }
  *reason = altered.error().message();
  return false;
}

Result<std::vector<std::string>> SayValueStorages(const ServiceSettings& settings, const std::function<bool()>& stop) {
  std::vector<std::string> missing;
  for (const BackendSettings& backend : settings.backends) {
    std::string reason;
    HOLDFAST_ASSIGN_OR_RETURN(const bool said, SayValueStorage(backend, settings.migrations, stop, &reason));
    if (said) continue;
    missing.push_back(backend.name);
    log::Warn("values are not yet kept as the settings say", {{"backend", backend.name}, {"reason", reason}});
  }
  return missing;
}

}  // namespace holdfast::service
