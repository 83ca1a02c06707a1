// `holdfast copy`: copies what clients have PUT from one store of the settings into another, page by page, straight
// between their backends; service/transfer says what it replaces. Collections, locks and quotas are not copied. It is
// no snapshot: for a store in use there is migrate_to (docs/store-migration.md).
//
// Exit codes: 0 everything was copied and, with --verify, the two have the same · 1 not everything was, or they do not
// · 2 wrong usage or settings · 3 a server cannot be reached, or its schema is not as this binary needs it.
#pragma once

#include <string>
#include <vector>

#include "service/migrate_command.h"

namespace holdfast::service {

// `words` is what stands behind "copy".
int RunCopyCommand(const std::vector<std::string>& words, const SettingsLoader& load);

}  // namespace holdfast::service
