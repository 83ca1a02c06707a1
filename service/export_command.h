// `holdfast export`: writes the items of a store on PostgreSQL, Redis or RocksDB to standard output, straight from the
// backend and beside the services that run on it, as items that `holdfast import` takes, JSON or CBOR. What stands
// there is what a list over HTTP gives (docs/api.md, Lists); it is no snapshot either. Permissions are not asked.
//
// Exit codes: 0 every item was written · 1 the output was not taken, or a page could not be read: what was written is
// not all · 2 wrong usage or settings · 3 the server cannot be reached, or its schema is not as this binary needs it.
#pragma once

#include <string>
#include <vector>

#include "service/migrate_command.h"

namespace holdfast::service {

// `words` is what stands behind "export".
int RunExportCommand(const std::vector<std::string>& words, const SettingsLoader& load);

}  // namespace holdfast::service
