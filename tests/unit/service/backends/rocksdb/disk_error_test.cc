// A disk that is full or fails: what callers hear, what is there afterwards.
#include <gtest/gtest.h>

#include <thread>

#include "service/backends/rocksdb/open_on_file_system.h"
#include "tests/unit/service/backends/rocksdb/faulty_file_system.h"
#include "tests/unit/service/backends/rocksdb/scratch_directory.h"

namespace holdfast::storage {
namespace {

using Fault = FaultyFileSystem::Fault;

std::string CodeOf(const Status& status) {
  return status.ok() ? "ok" : std::string(ErrorCodeName(status.error().code()));
}

class RocksDbDiskFault : public testing::Test {
 protected:
  void SetUp() override { Reopen(); }

  void Reopen(const std::string& name = "db") {
    backend_.reset();
    RocksDbOptions options;
    options.path = scratch_.Path(name);
    options.durability = durability_;
    options.sync_interval = std::chrono::milliseconds{10};
    options.write_buffer_size = 64u << 10;
    Result<std::unique_ptr<Backend>> backend = OpenRocksDbBackendOn(disk_, options, SystemClock());
    ASSERT_TRUE(backend.ok()) << backend.error().message();
    backend_ = std::move(*backend);
  }

  std::string Put(const std::string& key, const std::string& value = "v") {
    return CodeOf(ExecuteOne(*backend_, Operation::Put(key, value), Deadline::Infinite()).status);
  }
  std::string Get(const std::string& key) {
    return CodeOf(ExecuteOne(*backend_, Operation::Get(key), Deadline::Infinite()).status);
  }
  // Polls until the put gives this code.
  bool PutBecomes(const std::string& key, const std::string& code) {
    const Deadline patience = Deadline::After(std::chrono::seconds{60});
    while (!patience.Expired()) {
      if (Put(key) == code) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return false;
  }

  Durability durability_ = Durability::kSync;
  const ScratchDirectory scratch_;
  const std::shared_ptr<FaultyFileSystem> disk_ = std::make_shared<FaultyFileSystem>();
  std::unique_ptr<Backend> backend_;
};

TEST_F(RocksDbDiskFault, AFullDiskRefusesWritesAndGoesOnWhenThereIsSpace) {
  ASSERT_EQ("ok", Put("before"));
  disk_->FailAppends(".log", Fault::kNoSpace);
  disk_->FailAppends(".sst", Fault::kNoSpace);
  for (int i = 0; i < 3; ++i) EXPECT_EQ("resource_exhausted", Put("refused" + std::to_string(i)));
  EXPECT_GT(disk_->faults(), 0);
  EXPECT_EQ("resource_exhausted", CodeOf(backend_->CheckHealth(Deadline::Infinite())));
  EXPECT_EQ("ok", Get("before"));
  EXPECT_EQ("not_found", Get("refused0"));

  disk_->FailAppends(".log", Fault::kNone);
  disk_->FailAppends(".sst", Fault::kNone);
  ASSERT_TRUE(PutBecomes("after", "ok"));
  ASSERT_EQ("ok", CodeOf(backend_->CheckHealth(Deadline::Infinite())));

  // Nothing refused comes to light later, nothing acknowledged is gone: by a clean start and by a power cut.
  disk_->CopyAfterPowerCut(scratch_.Path("db"), scratch_.Path("copy"));
  for (const std::string name : {"db", "copy"}) {
    Reopen(name);
    EXPECT_EQ("ok", Get("before")) << name;
    EXPECT_EQ("ok", Get("after")) << name;
    for (int i = 0; i < 3; ++i) EXPECT_EQ("not_found", Get("refused" + std::to_string(i))) << name;
  }
}

TEST_F(RocksDbDiskFault, AFullDiskIsSurvivedInEveryDurability) {
  for (const Durability durability : {Durability::kSync, Durability::kInterval, Durability::kOs}) {
    durability_ = durability;
    const std::string name = "db" + std::to_string(static_cast<int>(durability));
    Reopen(name);
    for (int round = 0; round < 3; ++round) {
      ASSERT_TRUE(PutBecomes("before", "ok"));
      disk_->FailAppends(".log", Fault::kNoSpace);
      EXPECT_TRUE(PutBecomes("refused", "resource_exhausted"));
      if (round == 2) break;  // closed while full
      disk_->FailAppends(".log", Fault::kNone);
      ASSERT_TRUE(PutBecomes("after", "ok"));
    }
    (void)backend_->Close().ok();
    disk_->FailAppends(".log", Fault::kNone);
    Reopen(name);
    EXPECT_EQ("ok", Get("before"));
    EXPECT_EQ("ok", Get("after"));
  }
}

TEST_F(RocksDbDiskFault, WhatAFullDiskRefusedIsNotThereAfterACrash) {
  ASSERT_EQ("ok", Put("before"));
  disk_->FailAppends(".log", Fault::kNoSpace);
  ASSERT_EQ("resource_exhausted", Put("refused", std::string(100'000, 'v')));
  disk_->CopyAfterCrash(scratch_.Path("db"), scratch_.Path("copy"));
  disk_->FailAppends(".log", Fault::kNone);
  Reopen("copy");
  EXPECT_EQ("ok", Get("before"));
  EXPECT_EQ("not_found", Get("refused"));
}

TEST_F(RocksDbDiskFault, AFullDiskDuringFlushesRefusesWritesAndGoesOn) {
  disk_->FailAppends(".sst", Fault::kNoSpace);
  std::string code = "ok";
  int acknowledged = 0;
  for (int i = 0; i < 5000 && code == "ok"; ++i) {
    code = Put("k" + std::to_string(i), std::string(1000, 'v'));
    if (code == "ok") ++acknowledged;
  }
  EXPECT_EQ("resource_exhausted", code);
  EXPECT_GT(disk_->faults(), 0);
  disk_->FailAppends(".sst", Fault::kNone);
  ASSERT_TRUE(PutBecomes("after", "ok"));
  for (int i = 0; i < acknowledged; ++i) ASSERT_EQ("ok", Get("k" + std::to_string(i)));
}

TEST_F(RocksDbDiskFault, AfterAFailedFsyncNothingIsAcknowledgedUntilReopened) {
  ASSERT_EQ("ok", Put("before"));
  disk_->FailSyncs(".log", Fault::kIoError);
  EXPECT_EQ("outcome_unknown", Put("unknown"));
  EXPECT_EQ(1, disk_->faults());
  disk_->FailSyncs(".log", Fault::kNone);  // the disk works again, but what the kernel lost it will not say
  for (int i = 0; i < 3; ++i) EXPECT_EQ("unavailable", Put("refused"));
  EXPECT_EQ("unavailable", CodeOf(backend_->CheckHealth(Deadline::Infinite())));
  EXPECT_EQ("ok", Get("before"));
  Transaction transaction;
  transaction.then = {Operation::Put("refused", "v")};
  EXPECT_FALSE(backend_->Transact(transaction, Deadline::Infinite()).ok());

  EXPECT_FALSE(backend_->Close().ok()) << "a close that could not sync is no clean close";
  Reopen();
  EXPECT_EQ("ok", Get("before"));
  EXPECT_EQ("not_found", Get("refused"));
  EXPECT_EQ("ok", Put("after"));
}

TEST_F(RocksDbDiskFault, AFailedFsyncForWantOfSpaceIsUnknownToo) {
  disk_->FailSyncs(".log", Fault::kNoSpace);
  EXPECT_EQ("outcome_unknown", Put("unknown"));
  disk_->FailSyncs(".log", Fault::kNone);
  EXPECT_EQ("unavailable", Put("refused"));
}

TEST_F(RocksDbDiskFault, AFailedAppendIsUnknownAndShutsTheGate) {
  disk_->FailAppends(".log", Fault::kIoError);
  EXPECT_EQ("outcome_unknown", Put("unknown"));
  disk_->FailAppends(".log", Fault::kNone);
  EXPECT_EQ("unavailable", Put("refused"));
  Reopen();
  EXPECT_EQ("ok", Put("after"));
}

TEST_F(RocksDbDiskFault, InABatchOnlyWhatDependsOnTheWriteFails) {
  ASSERT_EQ("ok", Put("stands"));
  disk_->FailSyncs(".log", Fault::kIoError);
  const std::vector<Operation> operations = {Operation::Get("stands"),
                                             Operation::Put("k", "1"),
                                             Operation::Get("k"),
                                             Operation::Put("k", "2", Precondition::Absent()),
                                             Operation::Put("stands", "x", Precondition::Absent()),
                                             Operation::Put("", "invalid")};
  std::vector<OperationResult> results(operations.size());
  backend_->Execute(operations, results, Deadline::Infinite());
  const std::vector<std::string> expected = {
      "ok", "outcome_unknown", "outcome_unknown", "outcome_unknown", "already_exists", "invalid_argument"};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(expected[i], CodeOf(results[i].status)) << i;
}

TEST_F(RocksDbDiskFault, AFailedTransactionIsUnknownAsAWhole) {
  disk_->FailSyncs(".log", Fault::kIoError);
  Transaction transaction;
  transaction.then = {Operation::Put("a", "1"), Operation::Put("b", "2")};
  const Result<TransactionResult> result = backend_->Transact(transaction, Deadline::Infinite());
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(ErrorCode::kOutcomeUnknown, result.error().code());
}

TEST_F(RocksDbDiskFault, AFlushThatFailsStopsAcknowledging) {
  disk_->FailAppends(".sst", Fault::kIoError);
  std::string code = "ok";
  for (int i = 0; i < 5000 && code == "ok"; ++i) code = Put("k" + std::to_string(i), std::string(1000, 'v'));
  EXPECT_EQ("unavailable", code);
  disk_->FailAppends(".sst", Fault::kNone);
  EXPECT_EQ("unavailable", Put("refused"));
  Reopen();
  EXPECT_EQ("ok", Get("k0"));
  EXPECT_EQ("ok", Put("after"));
}

// Whoever asked to flush or to compact is not told of a read.
TEST_F(RocksDbDiskFault, MaintenanceThatFailsSaysWhatItDid) {
  ASSERT_EQ("ok", Put("k"));
  disk_->FailAppends(".sst", Fault::kIoError);
  const auto flushed = backend_->maintenance()->Flush(Deadline::Infinite());
  ASSERT_FALSE(flushed.ok());
  EXPECT_EQ(ErrorCode::kUnavailable, flushed.error().code());
  EXPECT_TRUE(flushed.error().message().starts_with("flushing failed, check the disk: ")) << flushed.error().message();
  disk_->FailAppends(".sst", Fault::kNone);
  Reopen();
  ASSERT_TRUE(backend_->maintenance()->Flush(Deadline::Infinite()).ok());
  disk_->FailAppends(".sst", Fault::kNoSpace);
  const auto compacted = backend_->maintenance()->Compact(Deadline::Infinite());
  ASSERT_FALSE(compacted.ok());
  EXPECT_EQ(ErrorCode::kResourceExhausted, compacted.error().code());
  EXPECT_TRUE(compacted.error().message().starts_with("compacting failed, no space left on the disk: free some: "))
      << compacted.error().message();
}

TEST_F(RocksDbDiskFault, AFailedTimedSyncStopsAcknowledging) {
  durability_ = Durability::kInterval;
  Reopen("interval");
  ASSERT_EQ("ok", Put("before"));
  disk_->FailSyncs(".log", Fault::kIoError);
  EXPECT_TRUE(PutBecomes("refused", "unavailable"));
  disk_->FailSyncs(".log", Fault::kNone);
  EXPECT_EQ("unavailable", Put("refused"));
}

TEST_F(RocksDbDiskFault, CallersInParallelHearTheTruth) {
  constexpr int kThreads = 4;
  std::vector<std::vector<std::string>> codes(kThreads);
  std::atomic<int> written{0};
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 200; ++i) {
        codes[thread].push_back(Put(std::to_string(thread) + "/" + std::to_string(i)));
        if (++written == 200) disk_->FailSyncs(".log", Fault::kIoError);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(disk_->faults(), 0);
  disk_->FailSyncs(".log", Fault::kNone);
  disk_->CopyAfterPowerCut(scratch_.Path("db"), scratch_.Path("copy"));
  Reopen("copy");
  int refused = 0;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    for (std::size_t i = 0; i < codes[thread].size(); ++i) {
      const std::string key = std::to_string(thread) + "/" + std::to_string(i);
      if (codes[thread][i] == "ok") {
        EXPECT_EQ("ok", Get(key));
      } else if (codes[thread][i] == "unavailable") {
        EXPECT_EQ("not_found", Get(key));
        ++refused;
      } else {
        EXPECT_EQ("outcome_unknown", codes[thread][i]);
      }
    }
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace holdfast::storage
