// Reads the objects of a backup as the one stream that they were cut from. Memory: an object, and its decrypted copy.
#pragma once

#include <memory>

#include "service/backup/catalogue.h"
#include "service/backup/work.h"
#include "service/durability/checkpoint_reader.h"

namespace holdfast::backup {

// From its beginning; nothing is given out of an object before all of it was compared with the manifest. kCorruption:
// one is missing, or not what was written. `target` and `work` outlive it.
durability::ByteSource SourceOf(std::shared_ptr<const OpenedBackup> backup, Target& target, Work& work);
// Likewise of its index.
durability::ByteSource IndexOf(std::shared_ptr<const OpenedBackup> backup, Target& target, Work& work);

}  // namespace holdfast::backup
