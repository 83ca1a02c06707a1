// The files of the folder migrations/ as the build found them; embed.cmake writes the source.
#pragma once

#include <vector>

#include "service/migrations/migration_set.h"

namespace holdfast::migrations {

const std::vector<SourceFile>& BuiltInFiles();

}  // namespace holdfast::migrations
