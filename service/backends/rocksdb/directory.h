// The directory a database lives in, looked at before RocksDB is let near it.
#pragma once

#include <string>

#include "base/result/result.h"

namespace holdfast::storage {

// Creates the directory with its parents, each made durable in the one above: a database whose directory is gone after
// a power cut has lost every acknowledged write.
Status CreateDirectories(const std::string& path);

// Whether there is a database. kCorruption when there are data files but the file that names the current manifest is
// gone: RocksDB would start afresh and delete them.
Result<bool> HasDatabase(const std::string& path);

}  // namespace holdfast::storage
