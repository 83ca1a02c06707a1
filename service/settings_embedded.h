// What the rows of a backend that lives in this process come to: RocksDB, memory. Its rows stand in settings_table.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config/settings.h"
#include "service/backends/memory/memory_backend.h"
#include "service/backends/rocksdb/rocksdb_backend.h"

namespace holdfast::service {

// In a folder that is relative to data_dir, without any row of its own.
storage::RocksDbOptions DefaultRocksDb(const config::Settings& settings, std::string_view path,
                                       const storage::Limits& limits);
// Of the backend of this name; what cannot be is added to `problems`.
storage::RocksDbOptions RocksDbOf(const config::Settings& settings, const std::string& name,
                                  const storage::Limits& limits, std::vector<config::Problem>* problems);
storage::MemoryOptions MemoryOf(const config::Settings& settings, const std::string& name,
                                const storage::Limits& limits);

}  // namespace holdfast::service
