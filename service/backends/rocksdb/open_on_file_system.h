// OpenRocksDbBackend on another file system than the machine's, so that the tests can let a disk fail.
#pragma once

#include <rocksdb/file_system.h>

#include "service/backends/rocksdb/rocksdb_backend.h"

namespace holdfast::storage {

Result<std::unique_ptr<Backend>> OpenRocksDbBackendOn(std::shared_ptr<rocksdb::FileSystem> file_system,
                                                      const RocksDbOptions& options, const Clock& clock,
                                                      const std::function<bool()>& stop = {});

}  // namespace holdfast::storage
