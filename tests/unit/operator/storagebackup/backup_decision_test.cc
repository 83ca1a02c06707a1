#include "operator/controllers/storagebackup/backup_decision.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdfast::storagebackup {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr Timestamp kCreated{std::chrono::seconds{1'700'000'000}};

// One that was asked for, by a service that answers.
BackupFacts Begun() {
  BackupFacts facts;
  facts.backup.metadata = {.ns = "prod", .name = "nightly", .uid = "u-1", .generation = 1, .created = kCreated};
  facts.backup.spec = {.cluster = "demo", .store = "main", .deadline = std::chrono::hours{2}};
  facts.backup.status.id = BackupIdOf("nightly", "u-1");
  facts.backup.status.started = kCreated;
  facts.backup.status.run = "run-1";
  facts.pod = "demo-0";
  facts.now = kCreated + std::chrono::minutes{1};
  return facts;
}

Item Whole(bool verified) {
  return {.id = BackupIdOf("nightly", "u-1"), .entries = 7, .bytes = 70, .verified = verified};
}

Run RunOf(const std::string& action, const std::string& state, const std::string& problem = "") {
  return {.id = "run-1", .action = action, .state = state, .problem = problem};
}

TEST(BackupId, FollowsFromTheObjectAlone) {
  EXPECT_EQ(BackupIdOf("nightly", "u-1"), BackupIdOf("nightly", "u-1"));
  EXPECT_NE(BackupIdOf("nightly", "u-1"), BackupIdOf("nightly", "u-2"));
  EXPECT_THAT(BackupIdOf("a.b", "u"), MatchesRegex("a-b-[0-9a-f]{10}"));
  EXPECT_EQ(BackupIdOf(std::string(253, 'x'), "u").size(), 63u);
}

TEST(BackupDecision, IsAskedForBehindItsId) {
  BackupFacts facts = Begun();
  facts.backup.status = {};
  const BackupVerdict verdict = DecideBackup(facts);
  EXPECT_EQ(verdict.ask, Wish::kFull);
  EXPECT_EQ(verdict.status.id, BackupIdOf("nightly", "u-1"));
  EXPECT_TRUE(verdict.status.started.has_value());
  EXPECT_EQ(verdict.status.phase, "Running");
}

TEST(BackupDecision, IsAskedForAgainWhereNobodyKnowsOfIt) {
  const BackupVerdict verdict = DecideBackup(Begun());
  EXPECT_EQ(verdict.ask, Wish::kFull);
  EXPECT_EQ(verdict.status.id, BackupIdOf("nightly", "u-1"));
}

// Whatever is said of runs, without the backup itself nothing has succeeded.
TEST(BackupDecision, SucceedsWithAVerifiedBackupOnly) {
  for (const char* action : {"create", "incremental", "verify", "drill"}) {
    for (const char* state : {"waiting", "running", "succeeded", "failed"}) {
      SCOPED_TRACE(std::string(action) + " " + state);
      BackupFacts facts = Begun();
      facts.run = RunOf(action, state);
      EXPECT_NE(DecideBackup(facts).end, End::kComplete) << "there is none";
      facts.item = Whole(false);
      EXPECT_NE(DecideBackup(facts).end, End::kComplete) << "it is not verified";
      facts.item->verified = true;
      facts.item->damage = "cut off";
      EXPECT_EQ(DecideBackup(facts).end, End::kFailed) << "it is damaged";
      facts.item = Whole(true);
      facts.backup.spec.drill = true;
      EXPECT_NE(DecideBackup(facts).end, End::kComplete) << "it is not drilled";
      facts.item->drill = Drill{.succeeded = false, .code = "corruption", .at = {}};
      EXPECT_NE(DecideBackup(facts).end, End::kComplete) << "its drill has failed";
    }
  }
  BackupFacts facts = Begun();
  facts.silence = "nobody answers";
  EXPECT_EQ(DecideBackup(facts).end, End::kNone);
}

TEST(BackupDecision, SucceedsWhenAllOfItIsThere) {
  BackupFacts facts = Begun();
  facts.item = Whole(true);
  BackupVerdict verdict = DecideBackup(facts);
  EXPECT_EQ(verdict.end, End::kComplete);
  EXPECT_EQ(verdict.status.phase, "Succeeded");
  EXPECT_EQ(verdict.status.entries, 7);
  EXPECT_EQ(verdict.status.bytes, 70);
  EXPECT_EQ(verdict.status.kind, "Full");
  facts.backup.spec.drill = true;
  EXPECT_EQ(DecideBackup(facts).ask, Wish::kDrill);
  facts.item->drill = Drill{.succeeded = true, .code = {}, .at = {}};
  verdict = DecideBackup(facts);
  EXPECT_EQ(verdict.end, End::kComplete);
  EXPECT_TRUE(verdict.status.drilled.has_value());
}

TEST(BackupDecision, AnUnverifiedOneIsVerified) {
  BackupFacts facts = Begun();
  facts.item = Whole(false);
  EXPECT_EQ(DecideBackup(facts).ask, Wish::kVerify) << "the process has ended behind its manifest";
  facts.run = RunOf("create", "failed", "corruption");
  EXPECT_EQ(DecideBackup(facts).said.reason, "VerifyFailed");
  facts.run = RunOf("create", "failed", "already_exists");
  EXPECT_EQ(DecideBackup(facts).ask, Wish::kVerify) << "another attempt has made it";
  facts.run = RunOf("verify", "succeeded");
  EXPECT_EQ(DecideBackup(facts).said.reason, "VerifyFailed");
}

TEST(BackupDecision, AFailedRunIsAFailure) {
  BackupFacts facts = Begun();
  facts.run = RunOf("create", "failed", "quota_exceeded");
  const BackupVerdict verdict = DecideBackup(facts);
  EXPECT_EQ(verdict.end, End::kFailed);
  EXPECT_EQ(verdict.status.phase, "Failed");
  EXPECT_THAT(verdict.status.message, HasSubstr("quota_exceeded"));
  EXPECT_FALSE(verdict.ask.has_value());
}

TEST(BackupDecision, WhatIsThereInPartIsWaitedFor) {
  BackupFacts facts = Begun();
  facts.run = RunOf("create", "failed", "already_exists");
  const BackupVerdict verdict = DecideBackup(facts);
  EXPECT_EQ(verdict.end, End::kNone);
  EXPECT_FALSE(verdict.ask.has_value());
  EXPECT_EQ(verdict.said.reason, "UnderWay");
}

TEST(BackupDecision, IsOverAtItsDeadlineWhateverElse) {
  const std::function<void(BackupFacts&)> states[] = {
      [](BackupFacts&) {},
      [](BackupFacts& facts) { facts.backup.status = {}; },
      [](BackupFacts& facts) { facts.silence = "nobody answers"; },
      [](BackupFacts& facts) {
        facts.unusable = Said{"InvalidReference", "there is no StorageCluster"};
      },
      [](BackupFacts& facts) { facts.paused = true; },
      [](BackupFacts& facts) { facts.refusal = "no"; },
      [](BackupFacts& facts) { facts.run = RunOf("create", "running"); },
      [](BackupFacts& facts) { facts.run = RunOf("create", "failed", "already_exists"); },
      [](BackupFacts& facts) { facts.item = Whole(false); },
      [](BackupFacts& facts) {
        facts.item = Whole(true);
        facts.backup.spec.drill = true;
      },
  };
  for (const auto& arrange : states) {
    BackupFacts facts = Begun();
    arrange(facts);
    EXPECT_EQ(DecideBackup(facts).end, End::kNone);
    facts.now = kCreated + std::chrono::hours{2};
    const BackupVerdict verdict = DecideBackup(facts);
    EXPECT_EQ(verdict.end, End::kFailed);
    EXPECT_EQ(verdict.said.reason, "DeadlineExceeded");
    EXPECT_FALSE(verdict.ask.has_value());
    EXPECT_TRUE(IsOver(verdict.status.conditions));
  }
  BackupFacts done = Begun();
  done.item = Whole(true);
  done.now = kCreated + std::chrono::hours{3};
  EXPECT_EQ(DecideBackup(done).end, End::kComplete) << "it is there, and verified";
}

TEST(BackupDecision, NothingIsAskedForWhilePaused) {
  BackupFacts facts = Begun();
  facts.paused = true;
  facts.backup.status = {};
  const BackupVerdict verdict = DecideBackup(facts);
  EXPECT_FALSE(verdict.ask.has_value());
  EXPECT_FALSE(verdict.status.started.has_value());
  EXPECT_EQ(verdict.said.reason, "Paused");
}

TEST(BackupDecision, ARefusalIsToldWhileTheSameIsDue) {
  BackupFacts facts = Begun();
  facts.refusal = "the service has no place for backups";
  const BackupVerdict verdict = DecideBackup(facts);
  EXPECT_EQ(verdict.ask, Wish::kFull);
  EXPECT_EQ(verdict.pace, Pace::kPerson);
  EXPECT_THAT(verdict.said.message, HasSubstr("no place"));
}

}  // namespace
}  // namespace holdfast::storagebackup
