// `holdfast import`: puts the items on standard input into a store on PostgreSQL, Redis or RocksDB, straight through
// the backend and beside the services that run on it: for a first filling or a move, where bodies, batches and HTTP
// would be most of the work. Versions, expiry, validation and the change log are those of any write, because it is the
// same code that writes: services see the items, their watches tell of them and usage counts them. Quotas and
// permissions are not asked.
//
// What was written stays when it is interrupted; the same input again puts the same once more, or with --resume the
// rest.
//
// Exit codes: 0 every item was put · 1 some were not, each named with its line · 2 wrong usage or settings · 3 the
// server cannot be reached, or its schema is not as this binary needs it.
#pragma once

#include <string>
#include <vector>

#include "service/migrate_command.h"

namespace holdfast::service {

// `words` is what stands behind "import".
int RunImportCommand(const std::vector<std::string>& words, const SettingsLoader& load);

}  // namespace holdfast::service
