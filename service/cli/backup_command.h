// holdfast backup: making, listing, verifying, restoring and removing backups of a store (docs/operations.md).
#pragma once

#include <string>
#include <vector>

#include "service/cli/arguments.h"

namespace holdfast::cli {

extern const Command kBackupCommand;
// Its action that is a command by itself too: `holdfast restore --to-time TIME`.
inline constexpr std::string_view kRestoreWord = "restore";

// Exit codes as in client_commands.h: 1 also when the backup is damaged, 4 also when the service has forgotten the run.
int RunBackup(const std::vector<std::string>& words);

}  // namespace holdfast::cli
