// The changes of a database as its own log tells them: over the end of the process, flushes, and what is not its log.
#include <gtest/gtest.h>

#include <filesystem>

#include "service/backends/rocksdb/open_on_file_system.h"
#include "service/backends/rocksdb/rocksdb_backend.h"
#include "tests/unit/service/backends/rocksdb/faulty_file_system.h"
#include "tests/unit/service/backends/rocksdb/scratch_directory.h"

namespace holdfast::storage {
namespace {

constexpr std::size_t kAll = std::size_t{1} << 30;

class RocksDbLogHistory : public testing::Test {
 protected:
  std::unique_ptr<Backend> Open(const std::string& name = "db", Durability durability = Durability::kSync) {
    RocksDbOptions options;
    options.path = scratch_.Path(name);
    options.durability = durability;
    options.archived_log_size = archived_;
    options.write_buffer_size = 64u << 10;
    auto backend = OpenRocksDbBackend(options, clock_);
    EXPECT_TRUE(backend.ok()) << (backend.ok() ? "" : backend.error().ToString());
    return backend.ok() ? std::move(*backend) : nullptr;
  }
  void Put(Backend& backend, const std::string& key, const std::string& value) {
    clock_.Advance(std::chrono::seconds{1});
    ASSERT_TRUE(ExecuteOne(backend, Operation::Put(key, value), Deadline::Infinite()).status.ok());
  }
  static ChangePage Read(Backend& backend, const std::string& position, std::size_t most = kAll) {
    auto page = ChangeHistoryOf(backend)->Read(position, "main", most, Deadline::Infinite());
    EXPECT_TRUE(page.ok()) << (page.ok() ? "" : page.error().ToString());
    return page.ok() ? *page : ChangePage{};
  }
  static std::string Show(const ChangePage& page) {
    std::string all;
    for (const KeyChange& change : page.changes) {
      all += change.key.substr(4) + (change.entry ? "=" + change.entry->value : " gone") + ";";
    }
    return all;
  }

  std::uint64_t archived_ = 64u << 20;
  const ScratchDirectory scratch_;
  ManualClock clock_;
};

TEST_F(RocksDbLogHistory, TellsOfEveryChangeOfItsKeysInOrderAndWhenItWas) {
  const auto backend = Open();
  Put(*backend, "main before", "1");
  const ChangePage begin = Read(*backend, "");
  EXPECT_TRUE(begin.changes.empty());
  EXPECT_TRUE(begin.gap.empty());
  Put(*backend, "main a", "1");
  Put(*backend, "other", "1");
  const Timestamp second = clock_.Now() + std::chrono::seconds{1};
  Put(*backend, "main a", "2");
  clock_.Advance(std::chrono::seconds{1});
  ASSERT_TRUE(ExecuteOne(*backend, Operation::Delete("main a"), Deadline::Infinite()).status.ok());
  Transaction both;
  both.then = {Operation::Put("main b", "3"), Operation::Put("main c", "4")};
  ASSERT_TRUE(backend->Transact(both, Deadline::Infinite()).ok());
  const ChangePage page = Read(*backend, begin.position);
  EXPECT_EQ(Show(page), " a=1; a=2; a gone; b=3; c=4;");
  EXPECT_TRUE(page.complete);
  EXPECT_EQ(page.until, clock_.Now());
  EXPECT_EQ(page.changes[1].at, second);
  EXPECT_GT(page.changes[1].entry->version, page.changes[0].entry->version);
  EXPECT_EQ(Show(Read(*backend, page.position)), "");
  EXPECT_EQ(Show(Read(*backend, begin.position)), Show(page)) << "it can be read again";
}

TEST_F(RocksDbLogHistory, GoesOnAfterTheProcessAndAfterFlushes) {
  std::string position;
  {
    const auto backend = Open();
    position = Read(*backend, "").position;
    Put(*backend, "main a", "1");
    position = Read(*backend, position).position;
    Put(*backend, "main a", "2");
    ASSERT_TRUE(backend->maintenance()->Flush(Deadline::Infinite()).ok());
    Put(*backend, "main a", "3");
    // As a process that was killed leaves it.
    std::filesystem::copy(scratch_.Path("db"), scratch_.Path("killed"), std::filesystem::copy_options::recursive);
  }
  for (const char* name : {"db", "killed"}) {
    const auto backend = Open(name);
    Put(*backend, "main b", "4");
    ASSERT_TRUE(backend->maintenance()->Flush(Deadline::Infinite()).ok());
    const ChangePage page = Read(*backend, position);
    EXPECT_EQ(page.gap, "") << name;
    EXPECT_EQ(Show(page), " a=2; a=3; b=4;") << name;
  }
}

TEST_F(RocksDbLogHistory, PagesEndBetweenBatchesAndLoseNothing) {
  const auto backend = Open();
  std::string position = Read(*backend, "").position;
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    Put(*backend, "main " + std::to_string(i), "v");
    expected += " " + std::to_string(i) + "=v;";
  }
  std::string all;
  std::size_t pages = 0;
  for (bool complete = false; !complete; ++pages) {
    const ChangePage page = Read(*backend, position, 100);
    all += Show(page);
    position = page.position;
    complete = page.complete;
  }
  EXPECT_EQ(all, expected);
  EXPECT_GT(pages, 10U);
}

TEST_F(RocksDbLogHistory, AnEarlierStateOfTheDatabaseIsAGapAlsoOnceItHasOvertaken) {
  std::string position;
  {
    const auto backend = Open();
    Put(*backend, "main a", "1");
  }
  std::filesystem::copy(scratch_.Path("db"), scratch_.Path("earlier"), std::filesystem::copy_options::recursive);
  {
    const auto backend = Open();
    position = Read(*backend, "").position;
    Put(*backend, "main a", "2");
    position = Read(*backend, position).position;
  }
  const auto earlier = Open("earlier");
  const ChangePage at_once = Read(*earlier, position);
  for (int i = 0; i < 20; ++i) Put(*earlier, "main other", std::to_string(i));
  const ChangePage page = Read(*earlier, position);
  EXPECT_NE(page.gap, "");
  EXPECT_TRUE(page.changes.empty());
  EXPECT_NE(at_once.gap, "");
  Put(*earlier, "main b", "3");
  EXPECT_EQ(Show(Read(*earlier, page.position)), " b=3;") << "it goes on from there";
}

TEST_F(RocksDbLogHistory, WhatWasWrittenWithoutItIsAGap) {
  std::string position;
  {
    const auto backend = Open();
    position = Read(*backend, "").position;
  }
  archived_ = 0;
  {
    const auto backend = Open();
    EXPECT_EQ(ChangeHistoryOf(*backend), nullptr);
    Put(*backend, "main a", "1");
  }
  archived_ = 64u << 20;
  const auto backend = Open();
  EXPECT_NE(Read(*backend, position).gap, "");
}

// Of which the log has no row, nor a hole in its numbers.
TEST_F(RocksDbLogHistory, WhatWasLoadedWithoutItIsAGap) {
  std::string position;
  {
    const auto backend = Open();
    EXPECT_EQ(backend->capabilities().load_operations, 0U) << "nothing goes past the log that is the history";
    position = Read(*backend, "").position;
  }
  archived_ = 0;
  {
    const auto backend = Open();
    EXPECT_GT(backend->capabilities().load_operations, 0U);
    std::vector<Operation> puts;
    for (int i = 0; i < 2'000; ++i) puts.push_back(Operation::Put("main " + std::to_string(100'000 + i), "v"));
    std::vector<OperationResult> results(puts.size());
    backend->Load(puts, results, Deadline::Infinite());
    for (const OperationResult& result : results) ASSERT_TRUE(result.status.ok());
  }
  ASSERT_TRUE(std::filesystem::exists(scratch_.Path("db/loading"))) << "the control: it was no load";
  archived_ = 64u << 20;
  const auto backend = Open();
  const ChangePage page = Read(*backend, position);
  EXPECT_NE(page.gap, "");
  Put(*backend, "main b", "3");
  EXPECT_EQ(Show(Read(*backend, page.position)), " b=3;") << "it goes on from there";
}

TEST_F(RocksDbLogHistory, AClockThatIsSetBackDoesNotTurnTimesRound) {
  const auto backend = Open();
  const std::string position = Read(*backend, "").position;
  Put(*backend, "main a", "1");
  clock_.JumpTo(clock_.Now() - std::chrono::hours{1});
  Put(*backend, "main a", "2");
  const ChangePage page = Read(*backend, position);
  ASSERT_EQ(page.changes.size(), 2U);
  EXPECT_GE(page.changes[1].at, page.changes[0].at);
}

// What lay in the log and not on the disk could be lost, and other changes take its numbers.
TEST_F(RocksDbLogHistory, WhatWasGivenOutIsThereAfterThePowerFailed) {
  const auto disk = std::make_shared<FaultyFileSystem>();
  RocksDbOptions options;
  options.path = scratch_.Path("db");
  options.durability = Durability::kOs;
  options.archived_log_size = archived_;
  auto backend = OpenRocksDbBackendOn(disk, options, clock_, {}).value();
  std::string position = Read(*backend, "").position;
  Put(*backend, "main a", "1");
  const ChangePage given = Read(*backend, position);
  EXPECT_EQ(Show(given), " a=1;");
  Put(*backend, "main a", "lost");
  disk->CopyAfterPowerCut(scratch_.Path("db"), scratch_.Path("copy"));
  options.path = scratch_.Path("copy");
  const auto copy = OpenRocksDbBackendOn(disk, options, clock_, {}).value();
  Put(*copy, "main b", "2");
  const ChangePage page = Read(*copy, given.position);
  EXPECT_EQ(page.gap, "");
  EXPECT_EQ(Show(page), " b=2;") << "the control: what was not given out was lost";
}

}  // namespace
}  // namespace holdfast::storage
