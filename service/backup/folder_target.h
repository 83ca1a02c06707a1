// Backups in a folder of the file system, such as a mounted volume:
//
//   <directory>/<store>/<backup>/<object>
//                               /<object>.partial   being written
//
// Opened beneath `directory` only, without following links (service/durability/folder.h). Nothing is made before the
// first Put. Deadlines are looked at before a call begins: a file system that hangs holds its caller.
#pragma once

#include <memory>
#include <string>

#include "service/backup/target.h"

namespace holdfast::backup {

// `store`: a name as stores have it.
std::unique_ptr<Target> MakeFolderTarget(std::string directory, std::string store);

}  // namespace holdfast::backup
