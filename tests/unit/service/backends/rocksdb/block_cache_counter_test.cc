#include "service/backends/rocksdb/block_cache_counter.h"

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "service/backends/rocksdb/database.h"
#include "tests/unit/service/backends/rocksdb/scratch_directory.h"

namespace holdfast::storage {
namespace {

TEST(RocksDbBlockCacheCounter, AddsUpWhatThreadsCount) {
  constexpr std::uint64_t kThreads = 40;  // more than it has parts
  constexpr std::uint64_t kTicks = 1000;
  // Not on the stack, where a sanitizer loses its alignment.
  const auto counter = std::make_unique<BlockCacheCounter>();
  std::vector<std::jthread> threads;
  for (std::uint64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&counter = *counter] {
      for (std::uint64_t i = 0; i < kTicks; ++i) {
        counter.recordTick(rocksdb::BLOCK_CACHE_HIT, 2);
        counter.recordTick(rocksdb::BLOCK_CACHE_MISS, 1);
        counter.recordTick(rocksdb::BYTES_WRITTEN, 7);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(2 * kThreads * kTicks, counter->hits());
  EXPECT_EQ(kThreads * kTicks, counter->misses());
  EXPECT_EQ(0u, counter->getTickerCount(rocksdb::BYTES_WRITTEN));
  EXPECT_EQ(kThreads * kTicks, counter->getAndResetTickerCount(rocksdb::BLOCK_CACHE_MISS));
  EXPECT_EQ(0u, counter->misses());
  EXPECT_EQ(2 * kThreads * kTicks, counter->hits());
}

// RocksDB reads the options file back that it writes at every open, statistics by their name among them.
TEST(RocksDbBlockCacheCounter, RocksDbCountsInItAndAcceptsItsOptionsFile) {
  const ScratchDirectory scratch;
  RocksDbOptions options;
  options.path = scratch.Path("db");
  const Result<std::unique_ptr<Database>> opened = OpenDatabase(options, SystemClock(), rocksdb::FileSystem::Default());
  ASSERT_TRUE(opened.ok()) << opened.error().ToString();
  Database& database = **opened;
  ASSERT_TRUE(database.db->Put(rocksdb::WriteOptions(), database.entries, "key", "value").ok());
  ASSERT_TRUE(database.db->Flush(rocksdb::FlushOptions(), database.entries).ok());
  std::string value;
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(database.db->Get(rocksdb::ReadOptions(), database.entries, "key", &value).ok());
  EXPECT_GT(database.block_cache->misses(), 0u);
  EXPECT_GT(database.block_cache->hits(), 0u);

  std::ifstream log(options.path + "/LOG");
  std::string line;
  while (std::getline(log, line)) {
    EXPECT_EQ(std::string::npos, line.find("[ERROR]")) << line;
    EXPECT_EQ(std::string::npos, line.find("[WARN]")) << line;
  }
}

}  // namespace
}  // namespace holdfast::storage
