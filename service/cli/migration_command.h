// holdfast migration: where the move of a store to another backend stands, and leading it on (docs/store-migration.md).
#pragma once

#include <string>
#include <vector>

#include "service/cli/arguments.h"

namespace holdfast::cli {

extern const Command kMigrationCommand;

// Exit codes as in client_commands.h: 1 also when the migration is not in a phase in which this can be asked of it.
int RunMigration(const std::vector<std::string>& words);

}  // namespace holdfast::cli
