// Making, verifying, restoring and removing backups of a store, and what is told of it.
#include "service/backup/backups.h"

#include <gmock/gmock.h>

#include <atomic>

#include "service/durability/restore.h"
#include "service/storage/forwarding_backend.h"
#include "tests/unit/service/backup/backup_fixture.h"
#include "tests/unit/service/backup/target_double.h"

namespace holdfast::backup {
namespace {

using storage::BackupAction;
using storage::BackupRun;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class BackupsTest : public BackupFixture {
 protected:
  std::string Metrics() const { return registry_.Serialize(); }
};

TEST_F(BackupsTest, ABackupIsMadeListedVerifiedRestoredAndRemoved) {
  PutSome("before");
  const auto before = Rows();
  const auto backups = OpenBackups();
  const BackupRun made = Create(*backups, "one");
  ASSERT_FALSE(made.error) << ErrorOf(made);
  ASSERT_TRUE(made.info);
  EXPECT_EQ(made.info->entries, 4U);
  EXPECT_GT(made.info->objects, 2U);
  EXPECT_TRUE(made.info->verified_at);
  EXPECT_FALSE(made.info->encrypted);
  EXPECT_EQ(made.info->consistency, storage::SnapshotConsistency::kPointInTime);
  EXPECT_EQ(IdsOf(*backups->List(Deadline::Infinite())), std::vector<std::string>{"one"});

  PutSome("after");
  Put("new", "after");
  const auto after = Rows();
  const BackupRun restored = Do(*backups, BackupAction::kRestore, "one");
  ASSERT_FALSE(restored.error) << ErrorOf(restored);
  EXPECT_EQ(Rows(), before);
  ASSERT_TRUE(restored.restored);
  EXPECT_EQ(restored.restored->restored, 4U);
  EXPECT_EQ(restored.restored->deleted, 1U);
  const auto left = checkpoints()->List();
  ASSERT_EQ(left->size(), 1U) << "only the undo stays";
  EXPECT_EQ(left->front().id, restored.restored->undo);
  ASSERT_TRUE(checkpoints()->Restore(restored.restored->undo, Deadline::Infinite()).ok());
  EXPECT_EQ(Rows(), after);

  EXPECT_TRUE(backups->Delete("one", Deadline::Infinite()).ok());
  EXPECT_FALSE(std::filesystem::exists(BackupFolder("one")));
  EXPECT_EQ(backups->Delete("one", Deadline::Infinite()).error().code(), ErrorCode::kNotFound);
}

TEST_F(BackupsTest, AnIdIsTakenOnceAndIsNoPath) {
  const auto backups = OpenBackups();
  ASSERT_FALSE(Create(*backups, "one").error);
  EXPECT_EQ(CodeOf(Create(*backups, "one")), ErrorCode::kAlreadyExists);
  EXPECT_EQ(IdsOf(*backups->List(Deadline::Infinite())), std::vector<std::string>{"one"});
  EXPECT_EQ(backups->Begin(BackupAction::kCreate, "../x").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(backups->Begin(BackupAction::kRestore, "../one").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(Do(*backups, BackupAction::kRestore, "none")), ErrorCode::kNotFound);
  EXPECT_EQ(backups->Get("../one", Deadline::Infinite()).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(backups->Delete("../one", Deadline::Infinite()).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(backups->FindRun("none").error().code(), ErrorCode::kNotFound);
}

TEST_F(BackupsTest, AnEmptyStoreCanBeBackedUpAndPutBack) {
  const auto backups = OpenBackups();
  ASSERT_FALSE(Create(*backups, "one").error);
  Put("k", "v");
  ASSERT_FALSE(Do(*backups, BackupAction::kRestore, "one").error);
  EXPECT_THAT(Rows(), IsEmpty());
}

TEST_F(BackupsTest, EncryptedOnesNeedTheirKeyAndShowNothing) {
  PutSome("plain-text");
  const auto before = Rows();
  backup_options_.key = KeyOf('k');
  ASSERT_FALSE(Create(*OpenBackups(), "one").error);
  for (const std::string& name : FilesOf("one")) {
    EXPECT_THAT(durability::ReadFile(BackupFolder("one") / name), Not(HasSubstr("plain-text"))) << name;
  }
  PutSome("after");
  const auto now = Rows();
  backup_options_.key = KeyOf('x');
  const BackupRun wrong = Do(*OpenBackups(), BackupAction::kRestore, "one");
  EXPECT_EQ(CodeOf(wrong), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(ErrorOf(wrong), AllOf(HasSubstr("backups.key_file"), HasSubstr("is not the one")));
  backup_options_.key.reset();
  const BackupRun without = Do(*OpenBackups(), BackupAction::kVerify, "one");
  EXPECT_EQ(CodeOf(without), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(ErrorOf(without), HasSubstr("is encrypted: name the file with its key"));
  EXPECT_EQ(Rows(), now);
  EXPECT_THAT(Files(), IsEmpty()) << "a checkpoint was left";

  backup_options_.key = KeyOf('k');
  const auto backups = OpenBackups();
  EXPECT_TRUE(backups->Get("one", Deadline::Infinite())->encrypted);
  ASSERT_FALSE(Do(*backups, BackupAction::kRestore, "one").error);
  EXPECT_EQ(Rows(), before);
}

// Whoever can write to the target must not be able to have their own data restored.
TEST_F(BackupsTest, WithAKeyWhatIsNotEncryptedIsRefused) {
  PutSome("planted");
  ASSERT_FALSE(Create(*OpenBackups(), "one").error);
  backup_options_.key = KeyOf('k');
  const BackupRun refused = Do(*OpenBackups(), BackupAction::kRestore, "one");
  EXPECT_EQ(CodeOf(refused), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(ErrorOf(refused), HasSubstr("is not encrypted"));
}

TEST_F(BackupsTest, RetentionRemovesWhatIsTooOldAndNeverTheNewestVerified) {
  backup_options_.retention.keep_last = 2;
  PutSome("v");
  const auto backups = OpenBackups();
  ASSERT_FALSE(Create(*backups, "b0").error);
  for (const char* id : {"b1", "b2", "b3"}) {
    clock_.Advance(std::chrono::hours{1});
    ASSERT_FALSE(Create(*backups, id).error);
  }
  EXPECT_EQ(IdsOf(*backups->List(Deadline::Infinite())), (std::vector<std::string>{"b2", "b3"}));
  // None of the newer ones is verified.
  backup_options_.verify = false;
  const auto unverified = OpenBackups();
  BackupRun last;
  for (const char* id : {"b4", "b5", "b6"}) {
    clock_.Advance(std::chrono::hours{1});
    last = Create(*unverified, id);
    ASSERT_FALSE(last.error);
  }
  EXPECT_THAT(last.removed, ElementsAre("b4"));
  EXPECT_EQ(IdsOf(*unverified->List(Deadline::Infinite())), (std::vector<std::string>{"b3", "b5", "b6"}));
}

TEST_F(BackupsTest, WhatWasLeftUnfinishedGoesWhenNobodyCanBeWritingIt) {
  const auto backups = OpenBackups();
  ASSERT_FALSE(Create(*backups, "one").error);
  const auto target = OpenTarget();
  ASSERT_TRUE(target->Put({"left", "1a-00000001"}, "half", Deadline::Infinite()).ok());
  durability::WriteFile(BackupFolder("left") / "manifest.partial", "holdfast-ba");
  const Timestamp written = target->List("left/", Deadline::Infinite())->front().modified_at;
  EXPECT_EQ(IdsOf(*backups->List(Deadline::Infinite())), std::vector<std::string>{"one"});
  EXPECT_EQ(backups->Get("left", Deadline::Infinite()).error().code(), ErrorCode::kNotFound);

  clock_.JumpTo(written + backup_options_.timeout);
  EXPECT_THAT(Do(*backups, BackupAction::kPrune).removed, IsEmpty());
  EXPECT_THAT(FilesOf("left"), SizeIs(2));
  clock_.JumpTo(written + backup_options_.timeout + std::chrono::minutes{1});
  EXPECT_THAT(Do(*backups, BackupAction::kPrune).removed, ElementsAre("left"));
  EXPECT_FALSE(std::filesystem::exists(BackupFolder("left")));
  EXPECT_TRUE(Read("one").ok());
}

TEST_F(BackupsTest, AFullDiskIsCalledSoAndLeavesNothing) {
  backup_options_.create.object_bytes = 200'000;
  Put("small", "v");
  const auto backups = OpenBackups();
  ASSERT_FALSE(Create(*backups, "one").error);
  Put("large", durability::Noise(900'000));
  const auto now = Rows();
  {
    const durability::FileSizeLimit limit(100'000);
    const BackupRun failed = Create(*backups, "two");
    EXPECT_EQ(CodeOf(failed), ErrorCode::kResourceExhausted);
    EXPECT_THAT(ErrorOf(failed), HasSubstr("holdfast backup prune"));
    EXPECT_FALSE(std::filesystem::exists(BackupFolder("two")));
  }
  ASSERT_FALSE(Create(*backups, "two").error) << "the control";
  Put("large", "w");
  const auto later = Rows();
  {
    // There is no room to fetch it into.
    const durability::FileSizeLimit limit(100'000);
    EXPECT_EQ(CodeOf(Do(*backups, BackupAction::kRestore, "two")), ErrorCode::kResourceExhausted);
    EXPECT_EQ(Rows(), later);
    EXPECT_THAT(Files(), IsEmpty());
  }
  ASSERT_FALSE(Do(*backups, BackupAction::kRestore, "two").error);
  EXPECT_EQ(Rows(), now);
}

TEST_F(BackupsTest, ATargetThatFailsInBetweenLeavesNoBackup) {
  PutSome("v");
  const auto target = std::make_shared<TargetDouble>(OpenTarget());
  const auto backups = OpenBackups(target);
  bool made = false;
  for (int step = 0; !made; ++step) {
    ASSERT_LT(step, 100);
    int left = step;
    const std::string id = "b" + std::to_string(step);
    target->before_put = [&left](const ObjectName&, std::string_view) {
      return left-- == 0 ? Status(Error(ErrorCode::kUnavailable, "as the test has it")) : Status();
    };
    const BackupRun run = Create(*backups, id);
    target->before_put = nullptr;
    made = !run.error;
    if (made) break;
    const auto there = backups->Get(id, Deadline::Infinite());
    // It may be whole by then, and only not verified.
    EXPECT_TRUE(there.ok() || FilesOf(id).empty()) << step;
    if (!there.ok()) continue;
    EXPECT_TRUE(Read(id).ok()) << step;
    EXPECT_THAT(ErrorOf(run), HasSubstr("was written, and not verified"));
  }
}

TEST_F(BackupsTest, OneThatIsRemovedWhileItIsReadIsNotCalledDamaged) {
  PutSome("v");
  const auto target = std::make_shared<TargetDouble>(OpenTarget());
  const auto backups = OpenBackups(target);
  ASSERT_FALSE(Create(*backups, "one").error);
  target->before_get = [this](const ObjectName& name) {
    if (name.object.ends_with("-00000002")) std::filesystem::remove_all(BackupFolder("one"));
  };
  EXPECT_EQ(CodeOf(Do(*backups, BackupAction::kVerify, "one")), ErrorCode::kNotFound);
}

TEST_F(BackupsTest, ARunHasADeadlineAndEndsWithTheService) {
  PutSome("v");
  backup_options_.pace.rate = 1;  // far longer than the test
  backup_options_.timeout = std::chrono::milliseconds{50};
  const BackupRun late = Create(*OpenBackups(), "late");
  EXPECT_EQ(CodeOf(late), ErrorCode::kDeadlineExceeded);
  EXPECT_THAT(ErrorOf(late), HasSubstr("backups.timeout"));
  EXPECT_FALSE(std::filesystem::exists(BackupFolder("late")));

  backup_options_.timeout = std::chrono::hours{1};
  const auto target = std::make_shared<TargetDouble>(OpenTarget());
  std::atomic<bool> writing{false};
  target->before_put = [&writing](const ObjectName&, std::string_view) {
    writing = true;
    return Status();
  };
  const auto backups = OpenBackups(target);
  const auto run = backups->Begin(BackupAction::kCreate, "stopped");
  const auto waiting = backups->Begin(BackupAction::kCreate, "waiting");
  ASSERT_TRUE(run.ok() && waiting.ok());
  while (!writing) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  EXPECT_FALSE(backups->FindRun(waiting->id)->begun_at);
  EXPECT_EQ(backups->Delete("stopped", Deadline::Infinite()).error().code(), ErrorCode::kFailedPrecondition);
  backups->Stop();
  EXPECT_EQ(CodeOf(*backups->FindRun(run->id)), ErrorCode::kCancelled);
  EXPECT_EQ(CodeOf(*backups->FindRun(waiting->id)), ErrorCode::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(BackupFolder("stopped")));
  EXPECT_FALSE(backups->Begin(BackupAction::kCreate, "behind").ok());
}

// Refuses writes after some.
class Failing final : public storage::ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  void Execute(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override {
    if (writes_left-- <= 0) return storage::FailAll(results, Error(ErrorCode::kInternal, "as the test has it"));
    backend().Execute(operations, results, deadline);
  }
  std::atomic<int> writes_left = 1;
};

TEST_F(BackupsTest, ARestoreThatFailsInTheMiddleIsFinishedAtTheNextStart) {
  // More than one batch.
  constexpr int kKeys = static_cast<int>(durability::kBatchOperations) + 1;
  for (int i = 0; i < kKeys; ++i) Put("k" + std::to_string(i), "before");
  backup_options_.create.object_bytes = 20'000;
  const auto before = Rows();
  ASSERT_FALSE(Create(*OpenBackups(), "one").error);
  for (int i = 0; i < kKeys; ++i) Put("k" + std::to_string(i), "after");
  {
    const std::shared_ptr<durability::Checkpoints> failing = Open(std::make_shared<Failing>(backend_));
    Backups backups({backend_, "main"}, OpenTarget(), failing, backup_options_, clock_, registry_);
    const BackupRun interrupted = Do(backups, BackupAction::kRestore, "one");
    ASSERT_TRUE(interrupted.error);
    EXPECT_THAT(ErrorOf(interrupted), HasSubstr("restored in part"));
    EXPECT_NE(Rows(), before);
  }
  Open();
  EXPECT_EQ(Rows(), before);
}

TEST_F(BackupsTest, MetricsSayWhatThereIsAndWhatFailed) {
  PutSome("v");
  backup_options_.max_age = std::chrono::hours{25};
  const auto backups = OpenBackups();
  EXPECT_THAT(Metrics(), HasSubstr("holdfast_backup_last_success_timestamp_seconds{store=\"main\"} 0\n"));
  ASSERT_FALSE(Create(*backups, "one").error);
  ASSERT_TRUE(Create(*backups, "one").error);
  durability::WriteFile(BackupFolder("one") / "manifest", "no manifest");
  EXPECT_EQ(CodeOf(Do(*backups, BackupAction::kVerify, "one")), ErrorCode::kCorruption);
  const std::string text = Metrics();
  for (const char* line :
       {R"(holdfast_backup_runs_total{action="create",result="ok",store="main"} 1)",
        R"(holdfast_backup_runs_total{action="create",result="error",store="main"} 1)",
        R"(holdfast_backup_runs_total{action="verify",result="damaged",store="main"} 1)",
        R"(holdfast_backup_duration_seconds_count{store="main"} 1)", R"(holdfast_backup_damaged{store="main"} 1)",
        R"(holdfast_backup_max_age_seconds{store="main"} 90000)"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  ASSERT_TRUE(backups->Delete("one", Deadline::Infinite()).ok());
  ASSERT_FALSE(Create(*backups, "two").error);
  EXPECT_THAT(Metrics(), HasSubstr("holdfast_backup_last_success_timestamp_seconds{store=\"main\"} 1700000000\n"));
}

}  // namespace
}  // namespace holdfast::backup
