// What the rows of a backend of type rocksdb come to. They stand in settings_table.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config/settings.h"
#include "service/backends/rocksdb/rocksdb_backend.h"

namespace holdfast::service {

// In a folder that is relative to data_dir, without any row of its own.
storage::RocksDbOptions DefaultRocksDb(const config::Settings& settings, std::string_view path,
                                       const storage::Limits& limits);
// Of the backend of this name; what cannot be is added to `problems`.
storage::RocksDbOptions RocksDbOf(const config::Settings& settings, const std::string& name,
                                  const storage::Limits& limits, std::vector<config::Problem>* problems);

}  // namespace holdfast::service
