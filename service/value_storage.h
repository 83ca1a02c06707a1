// How the PostgreSQL backends are to keep their values, said to their servers when the service starts.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "service/migrations/value_storage.h"
#include "service/settings.h"

namespace holdfast::service {

// Of one backend; one attempt, which waits for a lock at most migrations.lock_timeout. True when nothing is missing
// any more, false when others held the table, the server could not be reached or the table is not ours to alter: then
// it is to be tried again, and `reason` says why. kFailedPrecondition is for a person to mend.
Result<bool> SayValueStorage(const BackendSettings& backend, const MigrationSettings& settings,
                             const std::function<bool()>& stop, std::string* reason);

// Of all backends, behind CheckSchemas. The names of those where it is to be tried again, which has been logged.
// kFailedPrecondition names the backend, what is in the way and the remedy.
Result<std::vector<std::string>> SayValueStorages(const ServiceSettings& settings, const std::function<bool()>& stop);

}  // namespace holdfast::service
