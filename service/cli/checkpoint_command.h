// holdfast checkpoint: taking, listing, validating, restoring and removing checkpoints of a store (docs/operations.md).
#pragma once

#include <string>
#include <vector>

#include "service/cli/arguments.h"

namespace holdfast::cli {

extern const Command kCheckpointCommand;

// Exit codes as in client_commands.h: 1 also when the checkpoint is damaged.
int RunCheckpoint(const std::vector<std::string>& words);

}  // namespace holdfast::cli
