// Where the drills of a store's backups restore to: a RocksDB database that lives as long as the drill, or memory.
#pragma once

#include <memory>
#include <string>

#include "service/backup/backup_options.h"
#include "service/backup/drill.h"

namespace holdfast::service {

// In memory, or in `options.directory`/`store`, which is its own: whatever lies there is removed by Clear. A symbolic
// link of that name is removed too, and not followed.
std::unique_ptr<backup::ScratchPlace> MakeScratchPlace(const backup::DrillOptions& options, const std::string& store);

}  // namespace holdfast::service
