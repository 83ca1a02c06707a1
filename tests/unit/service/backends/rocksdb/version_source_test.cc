#include "service/backends/rocksdb/version_source.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "service/backends/rocksdb/entry_codec.h"
#include "tests/unit/service/backends/rocksdb/faulty_file_system.h"
#include "tests/unit/service/backends/rocksdb/scratch_directory.h"

namespace holdfast::storage {
namespace {

constexpr Timestamp kThen{std::chrono::seconds{1'700'000'000}};
constexpr Timestamp kLongBefore{std::chrono::seconds{1'000'000'000}};

class RocksDbVersions : public testing::Test {
 protected:
  std::unique_ptr<Database> Open(const std::string& name) {
    RocksDbOptions options;
    options.path = scratch_.Path(name);
    Result<std::unique_ptr<Database>> database = OpenDatabase(options, SystemClock(), disk_);
    EXPECT_TRUE(database.ok()) << (database.ok() ? "" : database.error().message());
    return database.ok() ? std::move(*database) : nullptr;
  }

  const ScratchDirectory scratch_;
  const std::shared_ptr<FaultyFileSystem> disk_ = std::make_shared<FaultyFileSystem>();
};

TEST_F(RocksDbVersions, BeginAtTheClockAndRise) {
  const std::unique_ptr<Database> database = Open("db");
  const auto versions = VersionSource::Open(*database, kThen);
  ASSERT_TRUE(versions.ok());
  const Result<Version> first = (*versions)->Take(3);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(1'700'000'000'000'000'000u, *first);
  EXPECT_EQ(*first + 3, *(*versions)->Take(1));
}

TEST_F(RocksDbVersions, AClockBeforeTheEpochStillGivesVersionsAboveZero) {
  const std::unique_ptr<Database> database = Open("db");
  const auto versions = VersionSource::Open(*database, Timestamp{std::chrono::seconds{-5}});
  ASSERT_TRUE(versions.ok());
  EXPECT_GT(*(*versions)->Take(1), 0u);
}

// The crash: the directory is copied as a power cut would leave it while versions are being given out.
TEST_F(RocksDbVersions, ACrashNeverBringsAVersionBack) {
  Version highest = 0;
  std::string name = "db";
  for (int crash = 0; crash < 5; ++crash) {
    const std::unique_ptr<Database> database = Open(name);
    const auto versions = VersionSource::Open(*database, kLongBefore);
    ASSERT_TRUE(versions.ok());
    for (int i = 0; i < 4; ++i) {
      const std::uint64_t count = i % 2 == 0 ? 1 : VersionSource::kBlock / 2 + 1;  // across block bounds
      const Result<Version> first = (*versions)->Take(count);
      ASSERT_TRUE(first.ok());
      EXPECT_GT(*first, highest);
      highest = *first + count - 1;
    }
    name = "crash" + std::to_string(crash);
    disk_->CopyAfterPowerCut(scratch_.Path(crash == 0 ? "db" : "crash" + std::to_string(crash - 1)),
                             scratch_.Path(name));
  }
}

TEST_F(RocksDbVersions, ABlockThatCannotBeReservedGivesNothingOut) {
  const std::unique_ptr<Database> database = Open("db");
  const auto versions = VersionSource::Open(*database, kThen);
  ASSERT_TRUE(versions.ok());
  disk_->FailSyncs(".log", FaultyFileSystem::Fault::kIoError);
  EXPECT_TRUE((*versions)->Take(VersionSource::kBlock).ok()) << "still in the block that was reserved";
  const Result<Version> refused = (*versions)->Take(1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(ErrorCode::kUnavailable, refused.error().code());
  EXPECT_GT(disk_->faults(), 0);
}

TEST_F(RocksDbVersions, ADamagedBoundIsSaidSo) {
  const std::unique_ptr<Database> database = Open("db");
  ASSERT_TRUE(database->db->Put(rocksdb::WriteOptions(), database->holdfast, kVersionBoundRow, "short").ok());
  const auto versions = VersionSource::Open(*database, kThen);
  ASSERT_FALSE(versions.ok());
  EXPECT_EQ(ErrorCode::kCorruption, versions.error().code());
}

TEST_F(RocksDbVersions, ThreadsNeverShareOne) {
  const std::unique_ptr<Database> database = Open("db");
  const auto versions = VersionSource::Open(*database, kThen);
  ASSERT_TRUE(versions.ok());
  std::mutex mutex;
  std::set<Version> seen;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const Result<Version> first = (*versions)->Take(2);
        ASSERT_TRUE(first.ok());
        std::lock_guard lock(mutex);
        EXPECT_TRUE(seen.insert(*first).second);
        EXPECT_TRUE(seen.insert(*first + 1).second);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(4000u, seen.size());
}

}  // namespace
}  // namespace holdfast::storage
