// A service serves on no schema that it does not know.
#pragma once

#include <functional>
#include <string>

#include "base/result/result.h"
#include "service/backends/postgres/postgres_options.h"
#include "service/migrations/connection.h"
#include "service/settings.h"

namespace holdfast::service {

enum class Way {
  kAsTheService,  // `url`
  kDirect,        // past a pooler, when there is such a way
};
Result<migrations::Target> TargetOf(const storage::PostgresOptions& options, Way way);

// Every backend of type postgres, before it is opened: opening writes. Waits for servers that cannot be reached, up to
// health.start; `stop` ends that with kCancelled. kFailedPrecondition names the backend, the difference and the remedy.
Status CheckSchemas(const ServiceSettings& settings, const std::function<bool()>& stop);

}  // namespace holdfast::service
