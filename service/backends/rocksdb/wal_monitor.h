// A file system that counts what happens to RocksDB's write-ahead log. RocksDB's status of a failed write does not say
// whether the record reached the log; the counts do, and with them a caller can be told "not applied" instead of
// "unknown".
#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace holdfast::storage {

// Thread-safe; shared by the file system and those who read the counts.
struct WalCounts {
  std::atomic<std::uint64_t> appends{0};  // begun, whatever became of them
  std::atomic<std::uint64_t> failed_appends{0};
  std::atomic<std::uint64_t> failed_syncs{0};
};

std::shared_ptr<rocksdb::FileSystem> MonitorWal(std::shared_ptr<rocksdb::FileSystem> target,
                                                std::shared_ptr<WalCounts> counts);

}  // namespace holdfast::storage
