// Loads, which go past the log: what they leave is what Execute would leave, beside writers, after power cuts and when
// files cannot be made.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "service/backends/rocksdb/loader.h"
#include "service/backends/rocksdb/open_on_file_system.h"
#include "tests/unit/service/backends/rocksdb/faulty_file_system.h"
#include "tests/unit/service/backends/rocksdb/killing_file_system.h"
#include "tests/unit/service/backends/rocksdb/scratch_directory.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage {
namespace {

constexpr int kKeys = 2'000;

std::string Key(int i) {
  return fmt::format("k{:05}", i);
}

std::string Show(const EntryPtr& entry) {
  if (!entry) return "nothing";
  const auto expires = entry->expires_at ? entry->expires_at->time_since_epoch().count() : 0;
  return fmt::format("{} {} {}", entry->value, expires, entry->content_type);
}

std::string_view CodeOf(const Status& status) {
  return status.ok() ? "ok" : ErrorCodeName(status.error().code());
}

// What is told, by key; versions that fall are counted.
class Heard final : public ChangeListener {
 public:
  void OnChange(std::string_view key, const EntryPtr& before, const EntryPtr& after,
                ChangeCause /*cause*/) noexcept override {
    std::lock_guard lock(mutex_);
    ++changes_;
    Told& told = told_[std::string(key)];
    if (Show(before) != told.shown) ++out_of_order_;
    if (after && after->version <= told.version) ++out_of_order_;
    told = {Show(after), after ? after->version : told.version};
  }
  std::map<std::string, std::string> entries() {
    std::lock_guard lock(mutex_);
    std::map<std::string, std::string> entries;
    for (const auto& [key, told] : told_) {
      if (told.shown != Show(nullptr)) entries[key] = told.shown;
    }
    return entries;
  }
  int changes() const { return changes_; }
  int out_of_order() const { return out_of_order_; }

 private:
  struct Told {
    std::string shown = Show(nullptr);
    Version version = 0;
  };
  std::mutex mutex_;
  std::map<std::string, Told> told_;
  int changes_ = 0;
  int out_of_order_ = 0;
};

// A disk on which no compaction gets on until it is let: it makes no table file but those of loads.
class HaltingFileSystem final : public KillingFileSystem {
 public:
  void Release() {
    std::lock_guard lock(mutex_);
    released_ = true;
    wake_.notify_all();
  }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    if (name.ends_with(".sst") && name.find("/loading/") == std::string::npos) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return released_; });
    }
    return KillingFileSystem::NewWritableFile(name, options, file, debug);
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool released_ = false;  // guarded by mutex_
};

class RocksDbLoad : public testing::Test {
 protected:
  std::unique_ptr<Backend> Open(const std::string& name, std::shared_ptr<rocksdb::FileSystem> disk = nullptr,
                                Durability durability = Durability::kSync) {
    RocksDbOptions options;
    options.path = scratch_.Path(name);
    options.durability = durability;
    if (!disk) disk = rocksdb::FileSystem::Default();
    auto backend = OpenRocksDbBackendOn(disk, options, clock_);
    EXPECT_TRUE(backend.ok()) << (backend.ok() ? "" : backend.error().ToString());
    return backend.ok() ? std::move(*backend) : nullptr;
  }
  static std::vector<Operation> Puts(const std::string& value) {
    std::vector<Operation> puts;
    for (int i = 0; i < kKeys; ++i) puts.push_back(Operation::Put(Key(i), value));
    return puts;
  }
  static std::vector<OperationResult> Load(Backend& backend, const std::vector<Operation>& operations) {
    std::vector<OperationResult> results(operations.size());
    backend.Load(operations, results, Deadline::Infinite());
    return results;
  }
  static bool AllOk(const std::vector<OperationResult>& results) {
    return std::all_of(results.begin(), results.end(), [](const auto& result) { return result.status.ok(); });
  }
  static std::map<std::string, std::string> Entries(Backend& backend) {
    std::map<std::string, std::string> entries;
    const auto snapshot = backend.OpenSnapshot(KeyRange::All(), Deadline::Infinite()).value();
    for (auto some = snapshot->Next(Deadline::Infinite()); some.ok() && !some->empty();
         some = snapshot->Next(Deadline::Infinite())) {
      for (const KeyedEntry& item : *some) entries[item.key] = Show(item.entry);
    }
    return entries;
  }
  static int CountOf(Backend& backend, const std::string& value) {
    int count = 0;
    for (const auto& [key, shown] : Entries(backend)) count += shown.starts_with(value + " ") ? 1 : 0;
    return count;
  }

  const ScratchDirectory scratch_;
  ManualClock clock_;
};

TEST_F(RocksDbLoad, LeavesWhatExecuteWouldLeave) {
  const auto disk = std::make_shared<KillingFileSystem>();
  const auto loaded = Open("loaded", disk);
  const auto executed = Open("executed");
  const auto heard = std::make_shared<Heard>();
  const auto heard_there = std::make_shared<Heard>();
  loaded->SetChangeListener(heard);
  executed->SetChangeListener(heard_there);
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 6; ++round) {
    std::vector<Operation> operations;
    for (int i = 0; i < kKeys; ++i) {
      Operation operation = Operation::Put(Key(i), fmt::format("{}", random() % 3));
      if (random() % 4 == 0) operation = Operation::Delete(Key(i));
      if (random() % 3 == 0) operation.expiry = Expiry::After(std::chrono::seconds{1 + random() % 5});
      if (random() % 5 == 0) operation.precondition = Precondition::Absent();
      operations.push_back(std::move(operation));
    }
    const std::vector<OperationResult> results = Load(*loaded, operations);
    std::vector<OperationResult> there(operations.size());
    executed->Execute(operations, there, Deadline::Infinite());
    for (std::size_t i = 0; i < results.size(); ++i) {
      EXPECT_EQ(CodeOf(results[i].status), CodeOf(there[i].status)) << i;
      EXPECT_EQ(results[i].existed, there[i].existed);
    }
    EXPECT_EQ(Entries(*loaded), Entries(*executed));
    clock_.Advance(std::chrono::seconds{1});
  }
  // The sweeper writes as well, and a load that it comes upon goes through the log; not the first one, though.
  EXPECT_GE(disk->links(), 2) << "nothing was loaded in both families";
  EXPECT_EQ(heard->out_of_order(), 0);
  // What expires goes by the index, which the loads have written.
  clock_.Advance(std::chrono::hours{1});
  const Deadline patience = Deadline::After(std::chrono::seconds{60});
  while (heard->entries() != Entries(*loaded) && !patience.Expired()) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  EXPECT_EQ(heard->entries(), Entries(*loaded));
  EXPECT_FALSE(Entries(*loaded).empty());
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.Path("loaded/loading")));
}

TEST_F(RocksDbLoad, WhatIsNoLoadGoesThroughTheLog) {
  const auto disk = std::make_shared<KillingFileSystem>();
  const auto backend = Open("db", disk);
  std::vector<Operation> puts = Puts("v");
  std::swap(puts[3], puts[4]);
  EXPECT_TRUE(AllOk(Load(*backend, puts))) << "out of order";
  puts = Puts("v");
  puts[7] = Operation::Get(Key(7));
  EXPECT_TRUE(AllOk(Load(*backend, puts))) << "a get among them";
  puts.resize(kLeastLoadOperations - 1);
  EXPECT_TRUE(AllOk(Load(*backend, puts))) << "few";
  puts = Puts("v");
  puts[7].key = std::string(backend->limits().max_key_bytes + 1, 'k');
  EXPECT_EQ(Load(*backend, puts)[7].status.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(disk->links(), 0);
  EXPECT_EQ(CountOf(*backend, "v"), kKeys);
  std::vector<Operation> many;
  for (int i = 0; i < 6 * kKeys; ++i) many.push_back(Operation::Put(Key(i % kKeys), "w"));
  EXPECT_TRUE(AllOk(Load(*backend, many))) << "more than one Execute takes";
  EXPECT_TRUE(AllOk(Load(*backend, Puts("x"))));
  EXPECT_EQ(disk->links(), 1) << "the control";
}

TEST_F(RocksDbLoad, IsRightBesideWriters) {
  const auto disk = std::make_shared<KillingFileSystem>();
  const auto backend = Open("db", disk);
  const auto heard = std::make_shared<Heard>();
  backend->SetChangeListener(heard);
  std::atomic<bool> done{false};
  const auto write = [&](int first) {
    for (int i = first; !done; i = (i + 37) % kKeys) {
      EXPECT_TRUE(ExecuteOne(*backend, Operation::Put(Key(i), "own"), Deadline::Infinite()).status.ok());
      const auto got = ExecuteOne(*backend, Operation::Get(Key(i)), Deadline::Infinite());
      EXPECT_TRUE(got.status.ok());
    }
  };
  std::vector<std::thread> threads;
  for (int first : {0, 11}) threads.emplace_back(write, first);
  for (int round = 0; round < 20; ++round) EXPECT_TRUE(AllOk(Load(*backend, Puts(fmt::format("v{}", round)))));
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(backend->AwaitListener());
  EXPECT_EQ(heard->out_of_order(), 0) << "of " << heard->changes();
  EXPECT_EQ(heard->entries(), Entries(*backend));
}

TEST_F(RocksDbLoad, AWatchedKeyThatIsWrittenIsSeen) {
  WriteWatches watches;
  KeyLocks locks;
  const std::vector<std::string_view> keys = {"a", "m", "z"};
  watches.Written(keys);
  const WriteWatches::Watch watch(watches, locks, "c", "p");
  EXPECT_FALSE(watch.written());
  watches.Written(std::span(keys).first(1));
  watches.Written(std::span(keys).last(1));
  EXPECT_FALSE(watch.written());
  watches.Written(watch);
  EXPECT_FALSE(watch.written()) << "by itself";
  {
    const WriteWatches::Watch apart(watches, locks, "q", "z");
    watches.Written(apart);
    EXPECT_FALSE(watch.written());
    const WriteWatches::Watch other(watches, locks, "p", "q");
    watches.Written(watch);
    EXPECT_TRUE(other.written());
    EXPECT_FALSE(apart.written());
  }
  watches.Written(keys);
  EXPECT_TRUE(watch.written());
}

TEST_F(RocksDbLoad, IsThereAfterThePowerFailedWhateverTheDurability) {
  const auto disk = std::make_shared<FaultyFileSystem>();
  const auto backend = Open("db", disk, Durability::kOs);
  ASSERT_TRUE(AllOk(Load(*backend, Puts("loaded"))));
  ASSERT_TRUE(ExecuteOne(*backend, Operation::Put("by log", "v"), Deadline::Infinite()).status.ok());
  disk->CopyAfterPowerCut(scratch_.Path("db"), scratch_.Path("copy"));
  const auto after = Open("copy", nullptr, Durability::kOs);
  EXPECT_EQ(CountOf(*after, "loaded"), kKeys);
  const OperationResult lost = ExecuteOne(*after, Operation::Get("by log"), Deadline::Infinite());
  EXPECT_FALSE(lost.status.ok()) << "the control: the power cut took nothing";
}

TEST_F(RocksDbLoad, WhereNoFileCanBeMadeTheLogTakesIt) {
  const auto disk = std::make_shared<FaultyFileSystem>();
  const auto backend = Open("db", disk);
  disk->FailSyncs(".sst", FaultyFileSystem::Fault::kIoError);
  EXPECT_TRUE(AllOk(Load(*backend, Puts("v"))));
  EXPECT_GT(disk->faults(), 0);
  disk->FailSyncs(".sst", FaultyFileSystem::Fault::kNone);
  EXPECT_EQ(CountOf(*backend, "v"), kKeys);
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.Path("db/loading")));
}

TEST_F(RocksDbLoad, WhenCompactionsAreFarBehindTheLogTakesIt) {
  const auto disk = std::make_shared<HaltingFileSystem>();
  const auto backend = Open("db", disk);
  // The first ones go below the new files, one each level.
  constexpr int kMostLevels = 7;
  const auto is_loaded = [&](const std::string& value) {
    const int links = disk->links();
    EXPECT_TRUE(AllOk(Load(*backend, Puts(value))));
    return disk->links() > links;
  };
  int loads = 0;
  while (loads < 2 * kMostNewFiles && is_loaded(fmt::format("v{}", loads))) ++loads;
  EXPECT_GE(loads, kMostNewFiles);
  EXPECT_LE(loads, kMostNewFiles + kMostLevels) << "there is no end to new files";
  EXPECT_EQ(disk->links(), loads);
  EXPECT_FALSE(is_loaded("w")) << "again";
  EXPECT_EQ(CountOf(*backend, "w"), kKeys);
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.Path("db/loading")));

  disk->Release();
  int later = 0;
  EXPECT_TRUE(Eventually([&] { return is_loaded(fmt::format("x{}", ++later)); })) << "compactions have caught up";
  EXPECT_EQ(CountOf(*backend, fmt::format("x{}", later)), kKeys);
}

TEST_F(RocksDbLoad, HalfMadeFilesGoAtTheStart) {
  ASSERT_TRUE(AllOk(Load(*Open("db"), Puts("v"))));
  std::filesystem::copy_file(scratch_.Path("db/CURRENT"), scratch_.Path("db/loading/7-entries.sst"));
  EXPECT_EQ(CountOf(*Open("db"), "v"), kKeys);
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.Path("db/loading")));
}

}  // namespace
}  // namespace holdfast::storage
