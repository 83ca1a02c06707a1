// A restore into RocksDB whose process is killed at any step of the disk: the next start has all of the checkpoint, or
// what was there before when the restore had not begun. Every part runs in a process of its own.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/metrics/metrics.h"
#include "service/backends/rocksdb/open_on_file_system.h"
#include "service/durability/checkpoints.h"
#include "service/storage/key_space.h"
#include "tests/unit/service/backends/rocksdb/killing_file_system.h"
#include "tests/unit/service/backends/rocksdb/scratch_directory.h"

namespace holdfast::durability {
namespace {

using storage::Operation;

// Some loads, and rows in both families of each.
constexpr int kEntries = 3'000;
// So many of the steps are tried, evenly spread.
constexpr int kKills = 40;

std::string Key(int i) {
  return storage::KeySpace("main", "default").In(storage::Room::kKeys).Wrap(fmt::format("k{:06}", i));
}

class RestoreCrash : public testing::Test {
 protected:
  struct Store {
    std::shared_ptr<storage::KillingFileSystem> disk = std::make_shared<storage::KillingFileSystem>();
    std::shared_ptr<storage::Backend> backend;
    metrics::Registry registry;
    std::unique_ptr<Checkpoints> checkpoints;
  };

  // In a child; every step that fails ends it with 1.
  static void Require(bool holds) {
    if (!holds) ::_exit(1);
  }
  std::unique_ptr<Store> Open(const std::string& folder) const {
    auto store = std::make_unique<Store>();
    storage::RocksDbOptions options;
    options.path = scratch_.Path(folder + "/db");
    auto backend = storage::OpenRocksDbBackendOn(store->disk, options, SystemClock());
    Require(backend.ok());
    store->backend = std::move(*backend);
    CheckpointOptions checkpoints;
    checkpoints.directory = scratch_.Path(folder + "/checkpoints");
    checkpoints.validate = false;
    store->checkpoints =
        std::make_unique<Checkpoints>(store->backend, "main", checkpoints, SystemClock(), store->registry);
    return store;
  }
  static void Fill(storage::Backend& backend, const std::string& value) {
    for (int first = 0; first < kEntries; first += 500) {
      std::vector<Operation> puts;
      for (int i = first; i < first + 500; ++i) {
        // Every third entry has a row in the expiry index.
        const auto expiry = i % 3 == 0 ? storage::Expiry::After(std::chrono::hours{24}) : storage::Expiry::Never();
        puts.push_back(Operation::Put(Key(i), value, {}, expiry));
      }
      std::vector<storage::OperationResult> results(puts.size());
      backend.Execute(puts, results, Deadline::Infinite());
      for (const auto& result : results) Require(result.status.ok());
    }
  }
  static int CountOf(storage::Backend& backend, const std::string& value) {
    int count = 0;
    for (int i = 0; i < kEntries; ++i) {
      const auto got = storage::ExecuteOne(backend, Operation::Get(Key(i)), Deadline::Infinite());
      if (got.status.ok() && got.entry->value == value) ++count;
    }
    return count;
  }

  // What the child ended with: its code, or -1 when it was killed.
  template <typename Work>
  static int InChild(const Work& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      work();
      ::_exit(0);
    }
    int status = 0;
    EXPECT_EQ(child, ::waitpid(child, &status, 0));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  void Copy(const std::string& from, const std::string& to) const {
    std::filesystem::copy(scratch_.Path(from), scratch_.Path(to), std::filesystem::copy_options::recursive);
  }
  int NumberIn(const std::string& name) const {
    int number = 0;
    std::ifstream(scratch_.Path(name)) >> number;
    return number;
  }
  // `mid`: what stands there before; nullptr: nothing.
  void Prepare(const char* mid) {
    ASSERT_EQ(0, InChild([&] {
                const auto store = Open("base");
                Require(store->checkpoints->Recover([] { return false; }).ok());
                Fill(*store->backend, "before");
                Require(store->checkpoints->Create("one", Deadline::Infinite()).ok());
                Require(store->backend->DeleteRange(storage::KeyRange::All(), Deadline::Infinite()).ok());
                if (mid != nullptr) Fill(*store->backend, mid);
                Require(store->backend->Close().ok());
              }));
  }
  // The steps of a restore that nobody ends, and that they are those of a load.
  int StepsOfWhole() {
    Copy("base", "whole");
    EXPECT_EQ(0, InChild([&] {
                const auto store = Open("whole");
                Require(store->checkpoints->Recover([] { return false; }).ok());
                store->disk->Arm(0);
                Require(store->checkpoints->Restore("one", Deadline::Infinite()).ok());
                std::ofstream(scratch_.Path("steps")) << store->disk->steps();
                std::ofstream(scratch_.Path("links")) << store->disk->links();
                Require(CountOf(*store->backend, "before") == kEntries);
              }));
    EXPECT_GT(NumberIn("links"), 0) << "nothing was loaded";
    return NumberIn("steps");
  }
  void KillEverywhere(const char* mid) {
    Prepare(mid);
    const int steps = StepsOfWhole();
    ASSERT_GT(steps, 5);
    int killed = 0;
    int interrupted = 0;
    for (int at = 1; at <= steps; at += std::max(1, steps / kKills)) {
      std::filesystem::remove_all(scratch_.Path("killed"));
      Copy("base", "killed");
      const int ended = InChild([&] {
        const auto store = Open("killed");
        Require(store->checkpoints->Recover([] { return false; }).ok());
        store->disk->Arm(at);
        Require(store->checkpoints->Restore("one", Deadline::Infinite()).ok());
      });
      ASSERT_TRUE(ended == 0 || ended == -1) << "step " << at;
      if (ended == -1) ++killed;
      const bool marked = std::filesystem::exists(scratch_.Path("killed/checkpoints/main/restoring"));
      if (marked) ++interrupted;
      EXPECT_EQ(0, InChild([&] {
                  const auto store = Open("killed");
                  Require(store->checkpoints->Recover([] { return false; }).ok());
                  const int before = CountOf(*store->backend, "before");
                  const bool untouched = mid != nullptr ? CountOf(*store->backend, mid) == kEntries : before == 0;
                  Require(before == kEntries || (!marked && untouched));
                  // Rows of the index stand for all of it, and only once.
                  Require(store->backend->Count(storage::KeyRange::All(), Deadline::Infinite()).value() ==
                          static_cast<std::uint64_t>(before + (mid != nullptr ? kEntries - before : 0)));
                  Require(!std::filesystem::exists(scratch_.Path("killed/db/loading")) ||
                          std::filesystem::is_empty(scratch_.Path("killed/db/loading")));
                  Require(store->checkpoints->List()->size() >= 1);
                }))
          << "step " << at << " of " << steps;
    }
    EXPECT_GT(killed, 0);
    EXPECT_GT(interrupted, 0) << "no restore was interrupted in the middle";
  }

  const storage::ScratchDirectory scratch_;
};

TEST_F(RestoreCrash, IntoAnEmptiedStore_fault) {
  KillEverywhere(nullptr);
}
TEST_F(RestoreCrash, OverWhatWasWrittenSince_fault) {
  KillEverywhere("after");
}

}  // namespace
}  // namespace holdfast::durability
