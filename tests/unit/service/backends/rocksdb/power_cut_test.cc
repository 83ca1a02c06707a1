// What a crash leaves: of the process (the kernel keeps what was written) and of the machine (it keeps what was
// synced).
#include <gtest/gtest.h>

#include <thread>

#include "service/backends/rocksdb/open_on_file_system.h"
#include "tests/unit/service/backends/rocksdb/faulty_file_system.h"
#include "tests/unit/service/backends/rocksdb/scratch_directory.h"

namespace holdfast::storage {
namespace {

constexpr int kEntries = 200;

class RocksDbPowerCut : public testing::Test {
 protected:
  std::unique_ptr<Backend> Open(const std::string& name, Durability durability) {
    RocksDbOptions options;
    options.path = scratch_.Path(name);
    options.durability = durability;
    options.sync_interval = std::chrono::milliseconds{20};
    options.write_buffer_size = 64u << 10;
    Result<std::unique_ptr<Backend>> backend = OpenRocksDbBackendOn(disk_, options, SystemClock());
    EXPECT_TRUE(backend.ok()) << (backend.ok() ? "" : backend.error().message());
    return backend.ok() ? std::move(*backend) : nullptr;
  }

  void Fill(Backend& backend) {
    for (int i = 0; i < kEntries; ++i) {
      const Operation put = Operation::Put("k" + std::to_string(i), std::string(1000, 'v'));
      ASSERT_TRUE(ExecuteOne(backend, put, Deadline::Infinite()).status.ok());
    }
  }

  int Survivors(Backend& backend) {
    int found = 0;
    for (int i = 0; i < kEntries; ++i) {
      const OperationResult got = ExecuteOne(backend, Operation::Get("k" + std::to_string(i)), Deadline::Infinite());
      if (!got.status.ok()) continue;
      EXPECT_EQ(std::string(1000, 'v'), got.entry->value);
      ++found;
    }
    return found;
  }

  const ScratchDirectory scratch_;
  const std::shared_ptr<FaultyFileSystem> disk_ = std::make_shared<FaultyFileSystem>();
};

TEST_F(RocksDbPowerCut, WhatSyncAcknowledgedIsThereAfterThePowerFailed) {
  const std::unique_ptr<Backend> backend = Open("db", Durability::kSync);
  Fill(*backend);
  disk_->CopyAfterPowerCut(scratch_.Path("db"), scratch_.Path("copy"));
  EXPECT_EQ(kEntries, Survivors(*Open("copy", Durability::kSync)));
}

// The control: the same power cut must take something where nothing was synced, or the test above proves nothing.
TEST_F(RocksDbPowerCut, WhatOsAcknowledgedIsLostByThePowerCutButNotByACrashOfTheProcess) {
  const std::unique_ptr<Backend> backend = Open("db", Durability::kOs);
  Fill(*backend);
  disk_->CopyAfterPowerCut(scratch_.Path("db"), scratch_.Path("power"));
  disk_->CopyAfterCrash(scratch_.Path("db"), scratch_.Path("process"));
  EXPECT_LT(Survivors(*Open("power", Durability::kOs)), kEntries);
  EXPECT_EQ(kEntries, Survivors(*Open("process", Durability::kOs)));
}

TEST_F(RocksDbPowerCut, IntervalLosesAtMostTheLastInterval) {
  const std::unique_ptr<Backend> backend = Open("db", Durability::kInterval);
  Fill(*backend);
  const Deadline patience = Deadline::After(std::chrono::seconds{60});
  int survivors = 0;
  for (int copy = 0; survivors < kEntries && !patience.Expired(); ++copy) {
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    const std::string name = "copy" + std::to_string(copy);
    disk_->CopyAfterPowerCut(scratch_.Path("db"), scratch_.Path(name));
    survivors = Survivors(*Open(name, Durability::kInterval));
  }
  EXPECT_EQ(kEntries, survivors);
}

TEST_F(RocksDbPowerCut, ACloseSyncsWhateverTheDurability) {
  const std::unique_ptr<Backend> backend = Open("db", Durability::kOs);
  Fill(*backend);
  ASSERT_TRUE(backend->Close().ok());
  disk_->CopyAfterPowerCut(scratch_.Path("db"), scratch_.Path("copy"));
  EXPECT_EQ(kEntries, Survivors(*Open("copy", Durability::kOs)));
}

TEST_F(RocksDbPowerCut, VersionsStayAboveThoseOfLostWrites) {
  const std::unique_ptr<Backend> backend = Open("db", Durability::kOs);
  Version highest = 0;
  for (int i = 0; i < 100; ++i) {
    highest = ExecuteOne(*backend, Operation::Put("k", "v"), Deadline::Infinite()).version;
  }
  disk_->CopyAfterPowerCut(scratch_.Path("db"), scratch_.Path("copy"));
  const std::unique_ptr<Backend> after = Open("copy", Durability::kOs);
  EXPECT_GT(ExecuteOne(*after, Operation::Put("k", "v"), Deadline::Infinite()).version, highest);
}

}  // namespace
}  // namespace holdfast::storage
