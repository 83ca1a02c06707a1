// Taking, keeping and restoring checkpoints; what is left behind by errors and by a process that ends in between.
#include "service/durability/checkpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "service/storage/forwarding_backend.h"
#include "tests/unit/service/durability/file_size_limit.h"
#include "tests/unit/service/durability/store_fixture.h"

namespace holdfast::durability {
namespace {

using storage::Operation;
using storage::Room;
using testing::ElementsAre;
using testing::HasSubstr;

class CheckpointsTest : public StoreFixture {};

// Refuses every write from the given one on, as a backend does that is going away.
class Failing final : public storage::ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  void Execute(std::span<const Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override {
    if (writes_left.fetch_sub(1) <= 0) {
      return storage::FailAll(results, Error(ErrorCode::kInternal, "as the test has it"));
    }
    backend().Execute(operations, results, deadline);
  }
  std::atomic<int> writes_left{0};
};

TEST_F(CheckpointsTest, RestoresWhatStoodThere) {
  auto checkpoints = Open();
  Operation put =
      Operation::Put(Key("full"), std::string("\0\xff", 2), {}, storage::Expiry::After(std::chrono::hours{1}));
  put.content_type = "image/png";
  put.metadata = R"({"b":1.50})";
  put.tags = {"b", "a"};
  Write(put);
  Put("kept", "same");
  Put("changed", "before");
  Put("deleted", "before");
  const auto before = Rows();
  const storage::Version kept =
      storage::ExecuteOne(*backend_, Operation::Get(Key("kept")), Deadline::Infinite()).version;
  const auto taken = checkpoints->Create("", Deadline::Infinite());
  ASSERT_TRUE(taken.ok()) << taken.error().ToString();
  EXPECT_EQ(taken->entries, 4U);
  EXPECT_EQ(taken->consistency, storage::SnapshotConsistency::kPointInTime);
  EXPECT_TRUE(taken->validated_at.has_value());
  EXPECT_EQ(taken->size_bytes, std::filesystem::file_size(FileOf(taken->id)));

  Delete("full");
  Put("changed", "after");
  Delete("deleted");
  Put("new", "after");
  const auto after = Rows();
  const auto restored = checkpoints->Restore(taken->id, Deadline::Infinite());
  ASSERT_TRUE(restored.ok()) << restored.error().ToString();
  EXPECT_EQ(Rows(), before);
  EXPECT_EQ(restored->restored, 4U);
  EXPECT_EQ(restored->written, 3U);
  EXPECT_EQ(restored->deleted, 1U);
  const auto full = storage::ExecuteOne(*backend_, Operation::Get(Key("full")), Deadline::Infinite());
  EXPECT_EQ(full.entry->content_type, "image/png");
  EXPECT_EQ(full.entry->metadata, put.metadata);
  EXPECT_EQ(full.entry->tags, put.tags);
  EXPECT_TRUE(full.entry->expires_at.has_value());
  EXPECT_EQ(kept, storage::ExecuteOne(*backend_, Operation::Get(Key("kept")), Deadline::Infinite()).version);

  // And back.
  ASSERT_TRUE(checkpoints->Restore(restored->undo, Deadline::Infinite()).ok());
  EXPECT_EQ(Rows(), after);
}

TEST_F(CheckpointsTest, AnExportIsOneOfTheMomentAtWhichItBegan) {
  auto checkpoints = Open();
  for (int i = 0; i < 30'000; ++i) Put("k" + std::to_string(i), "before");
  const auto before = Rows();
  auto stream = checkpoints->Export(Deadline::Infinite());
  ASSERT_TRUE(stream.ok()) << stream.error().ToString();
  for (int i = 0; i < 30'000; ++i) Put("k" + std::to_string(i), "after");
  std::string bytes;
  Result<bool> more = true;
  while (more.ok() && *more) more = (*stream)->Next(&bytes);
  ASSERT_TRUE(more.ok()) << more.error().ToString();
  EXPECT_THAT(Files(), ElementsAre());
  std::filesystem::create_directories(StoreFolder());
  WriteFile(FileOf("kept"), bytes);
  ASSERT_TRUE(checkpoints->Restore("kept", Deadline::Infinite()).ok());
  EXPECT_EQ(Rows(), before);
}

TEST_F(CheckpointsTest, SoManyExportsAndNoMoreAreReadAtOnce) {
  auto checkpoints = Open();
  std::vector<std::unique_ptr<storage::CheckpointStream>> open;
  for (int i = 0; i < kMaxExports; ++i) {
    auto stream = checkpoints->Export(Deadline::Infinite());
    ASSERT_TRUE(stream.ok());
    open.push_back(std::move(stream).value());
  }
  EXPECT_EQ(checkpoints->Export(Deadline::Infinite()).error().code(), ErrorCode::kUnavailable);
  open.pop_back();
  EXPECT_TRUE(checkpoints->Export(Deadline::Infinite()).ok());
}

TEST_F(CheckpointsTest, VersionsRiseOverARestore) {
  auto checkpoints = Open();
  Put("k", "1");
  ASSERT_TRUE(checkpoints->Create("one", Deadline::Infinite()).ok());
  Put("k", "2");
  const auto second = storage::ExecuteOne(*backend_, Operation::Get(Key("k")), Deadline::Infinite()).version;
  ASSERT_TRUE(checkpoints->Restore("one", Deadline::Infinite()).ok());
  EXPECT_GT(storage::ExecuteOne(*backend_, Operation::Get(Key("k")), Deadline::Infinite()).version, second);
}

TEST_F(CheckpointsTest, LocksAndWhatIsTheServicesOwnAreNeitherSavedNorTouchedAndFencesNeverFall) {
  auto checkpoints = Open();
  const std::string system = storage::KeySpace("main", "").In(Room::kSystem).Wrap("quotas/a");
  Write(Operation::Put(Key("lock", Room::kLocks), "held by a"));
  Write(Operation::Put(Key("raised", Room::kFences), "100"));
  Write(Operation::Put(Key("gone", Room::kFences), "50"));
  Write(Operation::Put(system, "quota 1"));
  Write(Operation::Put("other" + Key("k").substr(4), "of another store"));
  const auto taken = checkpoints->Create("one", Deadline::Infinite());
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(taken->entries, 2U);

  Write(Operation::Put(Key("lock", Room::kLocks), "held by b"));
  Write(Operation::Put(Key("raised", Room::kFences), "120"));
  Write(Operation::Delete(Key("gone", Room::kFences)));
  Write(Operation::Put(Key("new", Room::kFences), "7"));
  Write(Operation::Put(system, "quota 2"));
  auto expected = Rows();
  expected[Key("gone", Room::kFences)] = "50";
  ASSERT_TRUE(checkpoints->Restore("one", Deadline::Infinite()).ok());
  EXPECT_EQ(Rows(), expected);
}

TEST_F(CheckpointsTest, FirstAnswersAreAddedAndNeverTakenAway) {
  auto checkpoints = Open();
  Write(Operation::Put(Key("there", Room::kReplays), "answer 1"));
  Write(Operation::Put(Key("gone", Room::kReplays), "answer 2"));
  ASSERT_TRUE(checkpoints->Create("one", Deadline::Infinite()).ok());
  Write(Operation::Put(Key("there", Room::kReplays), "answer 3"));
  Write(Operation::Put(Key("new", Room::kReplays), "answer 4"));
  auto expected = Rows();
  Write(Operation::Delete(Key("gone", Room::kReplays)));
  ASSERT_TRUE(checkpoints->Restore("one", Deadline::Infinite()).ok());
  EXPECT_EQ(Rows(), expected);
}

TEST_F(CheckpointsTest, WhatHasExpiredMeanwhileIsNotRestored) {
  auto checkpoints = Open();
  Write(Operation::Put(Key("k"), "v", {}, storage::Expiry::After(std::chrono::seconds{1})));
  ASSERT_TRUE(checkpoints->Create("one", Deadline::Infinite()).ok());
  clock_.Advance(std::chrono::seconds{1});
  const auto restored = checkpoints->Restore("one", Deadline::Infinite());
  ASSERT_TRUE(restored.ok());
  EXPECT_EQ(restored->expired, 1U);
  EXPECT_EQ(restored->restored, 0U);
}

TEST_F(CheckpointsTest, ADamagedOneIsRefusedAndNothingIsChanged) {
  auto checkpoints = Open();
  for (int i = 0; i < 100; ++i) Put("k" + std::to_string(i), "before");
  ASSERT_TRUE(checkpoints->Create("one", Deadline::Infinite()).ok());
  Put("k1", "after");
  const auto now = Rows();
  const std::string sound = ReadFile(FileOf("one"));
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{20}, sound.size() / 2, sound.size() - 40, sound.size() - 1}) {
    std::string damaged = sound;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    for (const std::string& bytes : {damaged, sound.substr(0, at)}) {
      WriteFile(FileOf("one"), bytes);
      const auto restored = checkpoints->Restore("one", Deadline::Infinite());
      ASSERT_FALSE(restored.ok()) << at;
      EXPECT_EQ(restored.error().code(), ErrorCode::kCorruption);
      EXPECT_EQ(checkpoints->Validate("one", Deadline::Infinite()).error().code(), ErrorCode::kCorruption);
      EXPECT_EQ(Rows(), now);
      EXPECT_EQ(checkpoints->List()->size(), 1U) << "an undo was taken";
    }
  }
  WriteFile(FileOf("one"), sound);
  EXPECT_TRUE(checkpoints->Restore("one", Deadline::Infinite()).ok()) << "the control";
}

TEST_F(CheckpointsTest, AnInterruptedRestoreIsFinishedAtTheNextStart) {
  for (int i = 0; i < 30'000; ++i) Put("k" + std::to_string(i), "before");
  const auto before = Rows();
  ASSERT_TRUE(Open()->Create("one", Deadline::Infinite()).ok());
  for (int i = 0; i < 30'000; ++i) Put("k" + std::to_string(i), "after");
  for (const int writes : {0, 1, 2}) {
    const auto failing = std::make_shared<Failing>(backend_);
    failing->writes_left = writes;
    const auto interrupted = Open(failing)->Restore("one", Deadline::Infinite());
    ASSERT_FALSE(interrupted.ok());
    EXPECT_THAT(interrupted.error().message(), HasSubstr("restored in part"));
    EXPECT_NE(Rows(), before);
    EXPECT_TRUE(std::filesystem::exists(StoreFolder() / "restoring"));
    {
      // What the restore needs cannot be removed.
      Checkpoints held(backend_, "main", options_, clock_, registry_);
      EXPECT_EQ(held.Delete("one", Deadline::Infinite()).error().code(), ErrorCode::kFailedPrecondition);
    }
    Open();
    EXPECT_EQ(Rows(), before) << writes;
    EXPECT_FALSE(std::filesystem::exists(StoreFolder() / "restoring"));
    for (int i = 0; i < 30'000; ++i) Put("k" + std::to_string(i), "after");
  }
}

TEST_F(CheckpointsTest, AnInterruptedRestoreOfWhatHasBecomeUnreadableIsUndone) {
  for (int i = 0; i < 30'000; ++i) Put("k" + std::to_string(i), "before");
  ASSERT_TRUE(Open()->Create("one", Deadline::Infinite()).ok());
  for (int i = 0; i < 30'000; ++i) Put("k" + std::to_string(i), "after");
  const auto after = Rows();
  const auto failing = std::make_shared<Failing>(backend_);
  failing->writes_left = 1;
  ASSERT_FALSE(Open(failing)->Restore("one", Deadline::Infinite()).ok());
  EXPECT_NE(Rows(), after);
  WriteFile(FileOf("one"), "no checkpoint");
  Open();
  EXPECT_EQ(Rows(), after);
}

TEST_F(CheckpointsTest, HalfARestoreIsNotServedWhenNeitherCanBeRead) {
  for (int i = 0; i < 10; ++i) Put("k" + std::to_string(i), "before");
  ASSERT_TRUE(Open()->Create("one", Deadline::Infinite()).ok());
  Put("k1", "after");
  const auto failing = std::make_shared<Failing>(backend_);
  ASSERT_FALSE(Open(failing)->Restore("one", Deadline::Infinite()).ok());
  for (const std::string& name : Files()) {
    if (name.ends_with(".checkpoint")) WriteFile(StoreFolder() / name, "no checkpoint");
  }
  Checkpoints checkpoints(backend_, "main", options_, clock_, registry_);
  const Status recovered = checkpoints.Recover([] { return false; });
  ASSERT_FALSE(recovered.ok());
  EXPECT_THAT(recovered.error().message(), HasSubstr("remove the file `restoring`"));
}

// A volume that does not keep what is written to it: the undo's file is another one as soon as it is complete, which is
// when its snapshot goes, and before it is read again.
class Spoiling final : public storage::ForwardingBackend {
 public:
  Spoiling(std::shared_ptr<storage::Backend> backend, std::filesystem::path folder)
      : ForwardingBackend(std::move(backend)), folder_(std::move(folder)) {}
  Result<std::unique_ptr<storage::Snapshot>> OpenSnapshot(const storage::KeyRange& range, Deadline deadline) override {
    HOLDFAST_ASSIGN_OR_RETURN(auto snapshot, backend().OpenSnapshot(range, deadline));
    return std::unique_ptr<storage::Snapshot>(std::make_unique<Spoiled>(*this, std::move(snapshot)));
  }
  std::string spared;  // of the files; empty: nothing is spoiled

 private:
  class Spoiled final : public storage::Snapshot {
   public:
    Spoiled(const Spoiling& owner, std::unique_ptr<storage::Snapshot> snapshot)
        : owner_(owner), snapshot_(std::move(snapshot)) {}
    Spoiled(const Spoiled&) = delete;
    Spoiled& operator=(const Spoiled&) = delete;
    ~Spoiled() override { owner_.Spoil(); }
    storage::SnapshotConsistency consistency() const override { return snapshot_->consistency(); }
    Result<std::vector<storage::KeyedEntry>> Next(Deadline deadline) override { return snapshot_->Next(deadline); }

   private:
    const Spoiling& owner_;
    const std::unique_ptr<storage::Snapshot> snapshot_;
  };
  void Spoil() const {
    if (spared.empty()) return;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      const std::string name = entry.path().filename();
      if (!name.ends_with(".checkpoint") || name == spared) continue;
      std::fstream(entry.path(), std::ios::in | std::ios::out | std::ios::binary).put('x');
    }
  }

  const std::filesystem::path folder_;
};

TEST_F(CheckpointsTest, NothingIsRestoredWhenTheUndoCannotBeReadAgain) {
  const auto spoiling = std::make_shared<Spoiling>(backend_, StoreFolder());
  auto checkpoints = Open(spoiling);
  Put("k", "before");
  ASSERT_TRUE(checkpoints->Create("one", Deadline::Infinite()).ok());
  Put("k", "after");
  const auto now = Rows();
  spoiling->spared = "one.checkpoint";
  const auto refused = checkpoints->Restore("one", Deadline::Infinite());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message(), HasSubstr("could not be read again"));
  EXPECT_EQ(Rows(), now);
  EXPECT_THAT(Files(), testing::Not(testing::Contains("restoring")));
  spoiling->spared.clear();
  EXPECT_TRUE(checkpoints->Restore("one", Deadline::Infinite()).ok()) << "the control";
}

TEST_F(CheckpointsTest, HalfWrittenOnesAreNotListedAndGoAtTheStart) {
  Put("k", "v");
  auto checkpoints = Open();
  ASSERT_TRUE(checkpoints->Create("one", Deadline::Infinite()).ok());
  WriteFile(StoreFolder() / "two.checkpoint.partial", ReadFile(FileOf("one")));
  EXPECT_EQ(checkpoints->List()->size(), 1U);
  EXPECT_EQ(checkpoints->Get("two").error().code(), ErrorCode::kNotFound);
  Open();
  EXPECT_THAT(Files(), ElementsAre("one.checkpoint", "one.validated"));
}

TEST_F(CheckpointsTest, AnErrorWhileOneIsTakenLeavesNothing) {
  Put("k", "v");
  auto checkpoints = Open();
  const auto late = checkpoints->Create("one", Deadline::After(std::chrono::nanoseconds{0}));
  ASSERT_FALSE(late.ok());
  EXPECT_THAT(Files(), ElementsAre());
  EXPECT_EQ(checkpoints->Create("One", Deadline::Infinite()).error().code(), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(checkpoints->Create("one", Deadline::Infinite()).ok());
  EXPECT_EQ(checkpoints->Create("one", Deadline::Infinite()).error().code(), ErrorCode::kAlreadyExists);
}

TEST_F(CheckpointsTest, AFullDiskIsCalledSoAndLeavesNothing) {
  Put("small", "v");
  auto checkpoints = Open();
  ASSERT_TRUE(checkpoints->Create("one", Deadline::Infinite()).ok());
  Put("large", Noise(300'000));
  const auto now = Rows();
  {
    const FileSizeLimit limit(100'000);
    for (const char* id : {"two", ""}) {
      const auto taken = checkpoints->Create(id, Deadline::Infinite());
      ASSERT_FALSE(taken.ok());
      EXPECT_EQ(taken.error().code(), ErrorCode::kResourceExhausted) << taken.error().ToString();
    }
    // No undo, no restore.
    const auto restored = checkpoints->Restore("one", Deadline::Infinite());
    ASSERT_FALSE(restored.ok());
    EXPECT_EQ(restored.error().code(), ErrorCode::kResourceExhausted);
    EXPECT_EQ(Rows(), now);
    EXPECT_THAT(Files(), ElementsAre("one.checkpoint", "one.validated"));
  }
  EXPECT_TRUE(checkpoints->Create("two", Deadline::Infinite()).ok()) << "the control";
}

TEST_F(CheckpointsTest, OldOnesGoAndTheNewestValidatedNever) {
  options_.retention.keep = 3;
  auto checkpoints = Open();
  for (int i = 0; i < 6; ++i) {
    clock_.Advance(std::chrono::seconds{1});
    Put("k", std::to_string(i));
    ASSERT_TRUE(checkpoints->Create("c" + std::to_string(i), Deadline::Infinite()).ok());
  }
  std::vector<std::string> ids;
  const auto all = checkpoints->List();
  for (const auto& info : *all) ids.push_back(info.id);
  EXPECT_THAT(ids, ElementsAre("c3", "c4", "c5"));
}

TEST_F(CheckpointsTest, OneThatIsAskedForTooSoonIsRefused) {
  options_.min_interval = std::chrono::seconds{10};
  auto checkpoints = Open();
  ASSERT_TRUE(checkpoints->Create("", Deadline::Infinite()).ok());
  EXPECT_EQ(checkpoints->Create("", Deadline::Infinite()).error().code(), ErrorCode::kFailedPrecondition);
  clock_.Advance(std::chrono::seconds{10});
  EXPECT_TRUE(checkpoints->Create("", Deadline::Infinite()).ok());
}

TEST_F(CheckpointsTest, TheLastOneIsTakenWhenItStops) {
  options_.at_shutdown = true;
  Put("k", "v");
  auto checkpoints = Open();
  checkpoints->Stop();
  const auto all = checkpoints->List();
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->front().reason, "shutdown");
  EXPECT_EQ(all->front().entries, 1U);
}

TEST_F(CheckpointsTest, OneIsTakenWheneverTheNewestIsOldEnough) {
  options_.interval = std::chrono::seconds{60};
  auto checkpoints = Open();
  checkpoints->Start();
  const auto wait_for = [&](std::size_t count) {
    for (const Deadline deadline = Deadline::After(std::chrono::seconds{20}); !deadline.Expired();) {
      if (checkpoints->List()->size() == count) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    return false;
  };
  EXPECT_TRUE(wait_for(1));
  clock_.Advance(std::chrono::seconds{60});
  EXPECT_TRUE(wait_for(2));
  EXPECT_EQ(checkpoints->List()->back().reason, "periodic");
}

}  // namespace
}  // namespace holdfast::durability
