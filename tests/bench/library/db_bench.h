// RocksDB's own benchmark program (Debian's rocksdb-tools), given our options as far as it has a flag for them: a
// database of `keys` entries is filled in order, then overwritten and read at random, by one thread; and filled anew,
// then overwritten at random by reading each row before it is written.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "service/backends/rocksdb/rocksdb_backend.h"

namespace holdfast {

struct DbBenchRun {
  std::string folder;  // of the database; made anew
  std::size_t keys = 0;
  std::size_t key_bytes = 0;
  std::size_t value_bytes = 0;
  std::size_t puts = 0;
  std::size_t gets = 0;
};

// Microseconds of wall time a call, as it prints them.
struct DbBenchTimes {
  double put = 0;
  double get = 0;
  double update = 0;  // a get and a put
};

// nullopt when the program is not installed or prints something else.
std::optional<DbBenchTimes> RunDbBench(const storage::RocksDbOptions& options, const DbBenchRun& run);

}  // namespace holdfast
