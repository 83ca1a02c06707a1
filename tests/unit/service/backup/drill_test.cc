// Drills: a backup restored into a scratch store, compared with what was backed up, and what is recorded of it.
#include "service/backup/drill.h"

#include <gmock/gmock.h>

#include <atomic>
#include <functional>

#include "service/storage/forwarding_backend.h"
#include "tests/unit/service/backup/backup_fixture.h"
#include "tests/unit/service/backup/target_double.h"

namespace holdfast::backup {
namespace {

using storage::BackupAction;
using storage::BackupRun;
using storage::Operation;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Loses or changes what a test says on its way into the scratch store.
class Unfaithful final : public storage::ForwardingBackend {
 public:
  Unfaithful(std::shared_ptr<storage::Backend> backend, std::function<void(Operation*)> change)
      : ForwardingBackend(std::move(backend)), change_(std::move(change)) {}

  void Execute(std::span<const Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override {
    std::vector<Operation> changed(operations.begin(), operations.end());
    for (Operation& operation : changed) change_(&operation);
    backend().Execute(changed, results, deadline);
  }

 private:
  const std::function<void(Operation*)> change_;
};

struct ScratchLog {
  int opened = 0;
  int cleared = 0;
  std::function<void(Operation*)> change;  // none: the scratch store is faithful
};

class ScratchInMemory final : public ScratchPlace {
 public:
  explicit ScratchInMemory(ScratchLog& log) : log_(log) {}

  Result<std::unique_ptr<storage::Backend>> Open(const storage::Limits& limits, const Clock& clock) override {
    ++log_.opened;
    storage::MemoryOptions options;
    options.limits = limits;
    auto backend = storage::MakeMemoryBackend(options, clock);
    if (!log_.change) return backend;
    return std::unique_ptr<storage::Backend>(std::make_unique<Unfaithful>(std::move(backend), log_.change));
  }
  Status Clear() override {
    ++log_.cleared;
    return {};
  }

 private:
  ScratchLog& log_;
};

class DrillTest : public BackupFixture {
 protected:
  std::unique_ptr<Backups> OpenWithDrills(std::shared_ptr<Target> target = nullptr) {
    if (!target) target = OpenTarget();
    return std::make_unique<Backups>(Source{backend_, "main"}, std::move(target), checkpoints(), backup_options_,
                                     clock_, registry_, std::make_unique<ScratchInMemory>(scratch_));
  }
  static BackupRun DrillOf(Backups& backups, const std::string& id) { return Do(backups, BackupAction::kDrill, id); }
  storage::BackupInfo InfoOf(const std::string& id) {
    auto info = OpenWithDrills()->Get(id, Deadline::Infinite());
    EXPECT_TRUE(info.ok()) << id;
    return info.ok() ? *info : storage::BackupInfo{};
  }
  std::string Metrics() const { return registry_.Serialize(); }

  ScratchLog scratch_;
};

TEST_F(DrillTest, RestoresComparesAndIsRemembered) {
  PutSome("v");
  Write(Operation::Put(Key("lock", storage::Room::kFences), "17"));
  Operation with_all = Operation::Put(Key("all"), "v");
  with_all.content_type = "text/plain";
  with_all.metadata = R"({"n":1})";
  with_all.tags = {"a", "b"};
  Write(with_all);
  const auto rows = Rows();
  const auto backups = OpenWithDrills();
  ASSERT_FALSE(Create(*backups, "one").error);
  EXPECT_FALSE(InfoOf("one").drill);
  clock_.Advance(std::chrono::hours{1});
  const BackupRun drilled = DrillOf(*backups, "one");
  ASSERT_FALSE(drilled.error) << ErrorOf(drilled);
  ASSERT_TRUE(drilled.info && drilled.info->drill);
  EXPECT_EQ(Rows(), rows) << "the store itself was touched";
  EXPECT_EQ(scratch_.opened, 1);
  EXPECT_EQ(scratch_.cleared, 2);
  // By another process, later.
  const storage::BackupInfo later = InfoOf("one");
  ASSERT_TRUE(later.drill);
  EXPECT_EQ(later.drill->at, clock_.Now());
  EXPECT_EQ(later.drill->failure, "");
  EXPECT_GT(later.drill->took.count(), 0);
  EXPECT_EQ(later.verified_at, clock_.Now()) << "all of it was read";
  const std::string text = Metrics();
  EXPECT_THAT(text, HasSubstr("holdfast_backup_drill_last_success_timestamp_seconds{store=\"main\"} 1700003600\n"));
  EXPECT_THAT(text, HasSubstr("holdfast_backup_drill_last_failure_timestamp_seconds{store=\"main\"} 0\n"));
  EXPECT_THAT(text, HasSubstr(R"(holdfast_backup_runs_total{action="drill",result="ok",store="main"} 1)"));
}

TEST_F(DrillTest, WhatHasExpiredSinceIsNotMissed) {
  Write(Operation::Put(Key("short"), "v", {}, storage::Expiry::After(std::chrono::minutes{1})));
  Put("long", "v");
  const auto backups = OpenWithDrills();
  ASSERT_FALSE(Create(*backups, "one").error);
  clock_.Advance(std::chrono::hours{1});
  const BackupRun drilled = DrillOf(*backups, "one");
  EXPECT_FALSE(drilled.error) << ErrorOf(drilled);
}

// The control: whatever is not as it was backed up is found.
TEST_F(DrillTest, WhatComesBackOtherwiseIsFound) {
  PutSome("v");
  Write(Operation::Put(Key("lasting"), "v", {}, storage::Expiry::After(std::chrono::hours{100})));
  const auto backups = OpenWithDrills();
  ASSERT_FALSE(Create(*backups, "one").error);
  const auto only = [](const std::string& key, std::function<void(Operation*)> change) {
    return [key = Key(key), change = std::move(change)](Operation* operation) {
      if (operation->key == key) change(operation);
    };
  };
  const std::vector<std::pair<std::function<void(Operation*)>, std::string>> wrongs = {
      {only("k1", [](Operation* put) { *put = Operation::Delete(put->key); }), "entries"},
      {only("k1", [](Operation* put) { put->value.front() = '#'; }), "hash"},
      {only("k1", [](Operation* put) { put->key.back() = '9'; }), "hash"},
      {only("k1", [](Operation* put) { put->tags = {"new"}; }), "hash"},
      {only("k1", [](Operation* put) { put->content_type = "text/plain"; }), "hash"},
      {only("lasting", [](Operation* put) { put->expiry = storage::Expiry::Never(); }), "hash"},
  };
  for (const auto& [change, expected] : wrongs) {
    scratch_.change = change;
    const BackupRun failed = DrillOf(*backups, "one");
    EXPECT_EQ(CodeOf(failed), ErrorCode::kCorruption);
    EXPECT_THAT(ErrorOf(failed), HasSubstr(expected));
  }
  EXPECT_EQ(InfoOf("one").drill->failure, "corruption");
  scratch_.change = nullptr;
  EXPECT_FALSE(DrillOf(*backups, "one").error) << "the control";
  EXPECT_EQ(InfoOf("one").drill->failure, "");
}

TEST_F(DrillTest, ADamagedOneFailsAndNoLongerCountsAsVerified) {
  backup_options_.retention.keep_last = 1;
  PutSome("v");
  const auto backups = OpenWithDrills();
  ASSERT_FALSE(Create(*backups, "good").error);
  ASSERT_FALSE(DrillOf(*backups, "good").error);
  clock_.Advance(std::chrono::hours{1});
  ASSERT_FALSE(Create(*backups, "bad").error);
  const std::string object = FilesOf("bad").front();
  std::string bytes = durability::ReadFile(BackupFolder("bad") / object);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  durability::WriteFile(BackupFolder("bad") / object, bytes);
  ASSERT_TRUE(InfoOf("bad").verified_at);
  EXPECT_EQ(CodeOf(DrillOf(*backups, "bad")), ErrorCode::kCorruption);
  EXPECT_FALSE(InfoOf("bad").verified_at);
  EXPECT_EQ(InfoOf("bad").drill->failure, "corruption");
  EXPECT_THAT(Metrics(),
              HasSubstr("holdfast_backup_drill_last_failure_timestamp_seconds{store=\"main\"} 1700003600\n"));
  // The newest that is verified and passed a drill stays, whatever is kept.
  ASSERT_FALSE(Do(*backups, BackupAction::kPrune).error);
  EXPECT_EQ(IdsOf(*backups->List(Deadline::Infinite())), (std::vector<std::string>{"good", "bad"}));
}

TEST_F(DrillTest, RetentionKeepsTheNewestThatPassedOne) {
  backup_options_.retention.keep_last = 1;
  PutSome("v");
  const auto backups = OpenWithDrills();
  ASSERT_FALSE(Create(*backups, "drilled").error);
  ASSERT_FALSE(DrillOf(*backups, "drilled").error);
  for (const char* id : {"b1", "b2"}) {
    clock_.Advance(std::chrono::hours{1});
    ASSERT_FALSE(Create(*backups, id).error);
  }
  EXPECT_EQ(IdsOf(*backups->List(Deadline::Infinite())), (std::vector<std::string>{"drilled", "b2"}));
}

TEST_F(DrillTest, ARecordThatCannotBeWrittenOrReadLeavesTheBackupAsItIs) {
  PutSome("v");
  const auto target = std::make_shared<TargetDouble>(OpenTarget());
  const auto backups = OpenWithDrills(target);
  ASSERT_FALSE(Create(*backups, "one").error);
  const std::string manifest = durability::ReadFile(BackupFolder("one") / "manifest");
  target->before_put = [](const ObjectName& name, std::string_view) {
    return name.object == kDrillObject ? Status(Error(ErrorCode::kUnavailable, "as the test has it")) : Status();
  };
  const BackupRun failed = DrillOf(*backups, "one");
  EXPECT_EQ(CodeOf(failed), ErrorCode::kUnavailable);
  EXPECT_THAT(ErrorOf(failed), HasSubstr("succeeded, and is not recorded"));
  target->before_put = nullptr;
  ASSERT_FALSE(DrillOf(*backups, "one").error);
  const std::string record = durability::ReadFile(BackupFolder("one") / "drill");
  for (const std::string& torn : {std::string(), record.substr(0, record.size() / 2), std::string(1'000, 'x'),
                                  "sha256:" + std::string(64, '0') + record.substr(71)}) {
    durability::WriteFile(BackupFolder("one") / "drill", torn);
    EXPECT_FALSE(InfoOf("one").drill) << torn;
    EXPECT_TRUE(Read("one").ok()) << torn;
  }
  EXPECT_EQ(durability::ReadFile(BackupFolder("one") / "manifest"), manifest);
}

TEST_F(DrillTest, OneThatEndsWithTheServiceSaysNothingOfTheBackup) {
  PutSome("v");
  const auto target = std::make_shared<TargetDouble>(OpenTarget());
  ASSERT_FALSE(Create(*OpenWithDrills(), "one").error);
  backup_options_.pace.rate = 1;  // far longer than the test
  std::atomic<bool> reading{false};
  target->before_get = [&reading](const ObjectName& name) { reading = reading || name.object.ends_with("-00000001"); };
  const auto backups = OpenWithDrills(target);
  const auto run = backups->Begin(BackupAction::kDrill, "one");
  ASSERT_TRUE(run.ok());
  while (!reading) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  backups->Stop();
  EXPECT_EQ(CodeOf(*backups->FindRun(run->id)), ErrorCode::kCancelled);
  EXPECT_FALSE(InfoOf("one").drill);
  EXPECT_TRUE(InfoOf("one").verified_at);
  EXPECT_EQ(scratch_.cleared, 2);
}

TEST_F(DrillTest, WithoutAPlaceForItThereIsNone) {
  const auto backups = OpenBackups();
  ASSERT_FALSE(Create(*backups, "one").error);
  EXPECT_EQ(CodeOf(DrillOf(*backups, "one")), ErrorCode::kNotSupported);
  EXPECT_THAT(Metrics(), Not(HasSubstr(R"(action="drill",result="ok",store="main"} 1)")));
}

TEST_F(DrillTest, AnIncrementIsTriedWithWhatItBuildsOn) {
  PutSome("v");
  const auto backups = OpenWithDrills();
  ASSERT_FALSE(Create(*backups, "full").error);
  Put("k1", "changed");
  ASSERT_FALSE(Do(*backups, BackupAction::kIncrement, "one").error);
  ASSERT_EQ(InfoOf("one").parent, "full");
  const BackupRun tried = DrillOf(*backups, "one");
  EXPECT_FALSE(tried.error) << ErrorOf(tried);
  durability::WriteFile(BackupFolder("full") / FilesOf("full").front(), "damaged");
  EXPECT_EQ(CodeOf(DrillOf(*backups, "one")), ErrorCode::kCorruption);
}

TEST_F(DrillTest, ABackupOfTheFormerFormatIsTriedByItsCounts) {
  PutSome("v");
  ASSERT_FALSE(Create(*OpenBackups(), "one").error);
  auto decoded = DecodeManifest(durability::ReadFile(BackupFolder("one") / "manifest"));
  ASSERT_TRUE(decoded.ok());
  decoded->manifest.format = kFormatWithoutContent;
  durability::WriteFile(BackupFolder("one") / "manifest", EncodeManifest(decoded->manifest, nullptr));
  const auto backups = OpenWithDrills();
  EXPECT_EQ(InfoOf("one").format_version, kFormatWithoutContent);
  EXPECT_FALSE(DrillOf(*backups, "one").error);
  scratch_.change = [](Operation* put) { *put = Operation::Delete(put->key); };
  EXPECT_THAT(ErrorOf(DrillOf(*backups, "one")), HasSubstr("0 entries"));
}

}  // namespace
}  // namespace holdfast::backup
