#include "base/time/duration.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/controllers/storagebackup/place.h"
#include "tests/unit/operator/storagebackup/run_bench.h"

namespace holdfast::storagebackup {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(StorageBackups, IsMadeOnceAndVerified) {
  RunBench bench;
  bench.CreateBackup();
  ASSERT_TRUE(bench.UntilOver()) << bench.Backup();
  EXPECT_EQ(bench.BackupPhase(), "Succeeded");
  EXPECT_EQ(bench.ConditionOf(bench.Backup(), kCompleteCondition), "True Succeeded");
  const Json status = bench.Backup().at("status");
  EXPECT_EQ(status.at("entries"), 12);
  EXPECT_EQ(status.at("bytes"), 345);
  EXPECT_EQ(status.at("kind"), "Full");
  EXPECT_TRUE(status.contains("verifiedAt"));
  EXPECT_THAT(bench.service.made, ElementsAre(std::pair(status.at("id").get<std::string>(), 1)));
  EXPECT_THAT(bench.events, Contains("Succeeded"));
  EXPECT_THAT(bench.complaints, IsEmpty());
}

TEST(StorageBackups, AnIncrementalOneWithADrill) {
  RunBench bench;
  bench.CreateBackup({{"kind", "Incremental"}, {"drill", true}});
  ASSERT_TRUE(bench.UntilOver()) << bench.Backup();
  EXPECT_EQ(bench.BackupPhase(), "Succeeded");
  EXPECT_EQ(bench.Backup().at("status").at("kind"), "Incremental");
  EXPECT_EQ(bench.Backup().at("status").at("parent"), "before");
  EXPECT_TRUE(bench.Backup().at("status").contains("drilledAt"));
  EXPECT_THAT(bench.service.told, SizeIs(2));
}

TEST(StorageBackups, AFailedDrillIsAFailure) {
  RunBench bench;
  bench.service.drills_fail = "corruption";
  bench.CreateBackup({{"drill", true}});
  ASSERT_TRUE(bench.UntilOver());
  EXPECT_EQ(bench.ConditionOf(bench.Backup(), kFailedCondition), "True DrillFailed");
}

TEST(StorageBackups, WhatTheServiceSaysOfAFailureIsTold) {
  RunBench bench;
  bench.service.fails = "quota_exceeded";
  bench.CreateBackup();
  ASSERT_TRUE(bench.UntilOver());
  EXPECT_EQ(bench.ConditionOf(bench.Backup(), kFailedCondition), "True BackupFailed");
  EXPECT_THAT(bench.MessageOf(bench.Backup()), HasSubstr("quota_exceeded"));
  bench.service.fails.clear();
  for (int round = 0; round < 5; ++round) bench.Round();
  EXPECT_EQ(bench.BackupPhase(), "Failed") << "it is over";
  EXPECT_THAT(bench.service.told, SizeIs(1));
}

TEST(StorageBackups, ALostAnswerMakesNoSecondBackup) {
  RunBench bench;
  bench.service.loses_answers = true;
  bench.CreateBackup();
  ASSERT_TRUE(bench.UntilOver()) << bench.Backup();
  EXPECT_EQ(bench.BackupPhase(), "Succeeded");
  ASSERT_THAT(bench.service.made, SizeIs(1));
  EXPECT_EQ(bench.service.made.begin()->second, 1);
}

// The failure is hidden: the process that wrote is gone, and with it what its run would have said.
TEST(StorageBackups, ALostFailureIsNoSuccess) {
  RunBench bench;
  bench.CreateBackup();
  ASSERT_TRUE(bench.Until([&] { return bench.BackupPhase() == "Running" && !bench.service.told.empty(); }));
  bench.Round();
  bench.service.Restart();
  for (int round = 0; round < 20; ++round) bench.Round();
  EXPECT_EQ(bench.BackupPhase(), "Running") << bench.Backup();
  EXPECT_THAT(bench.service.items, IsEmpty());
  bench.clock.Advance(std::chrono::hours{3});
  ASSERT_TRUE(bench.UntilOver());
  EXPECT_EQ(bench.ConditionOf(bench.Backup(), kFailedCondition), "True DeadlineExceeded");
}

TEST(StorageBackups, WhatWasNotBegunWhenTheProcessEndedIsMade) {
  RunBench bench;
  bench.service.works = false;
  bench.CreateBackup();
  ASSERT_TRUE(bench.Until([&] { return !bench.service.told.empty(); }));
  bench.service.Restart();
  bench.service.works = true;
  ASSERT_TRUE(bench.UntilOver());
  EXPECT_EQ(bench.BackupPhase(), "Succeeded");
}

TEST(StorageBackups, AnUnverifiedOneIsVerifiedFirst) {
  RunBench bench;
  bench.service.verifies = false;
  bench.CreateBackup();
  ASSERT_TRUE(bench.UntilOver()) << bench.Backup();
  // The run that made it says that all is well, and the backup says that it was not verified.
  EXPECT_EQ(bench.BackupPhase(), "Succeeded");
  EXPECT_THAT(bench.service.told, Contains(HasSubstr("verify ")));
}

TEST(StorageBackups, WaitsWithTheRemedyAndEndsAtTheDeadline) {
  const Json without_place = {{"backups", nullptr}};
  RunBench bench(without_place);
  bench.CreateBackup({{"deadline", "1h"}});
  bench.CreateBackup({{"store", "local"}}, "backend");
  bench.CreateBackup({{"cluster", "gone"}}, "nowhere");
  bench.Round();
  EXPECT_EQ(bench.ConditionOf(bench.Backup(), kProgressingCondition), "False NoPlace");
  EXPECT_THAT(bench.MessageOf(bench.Backup()), HasSubstr("spec.backups"));
  EXPECT_EQ(bench.ConditionOf(bench.Backup("backend"), kProgressingCondition), "False InvalidReference");
  EXPECT_THAT(bench.MessageOf(bench.Backup("backend")), HasSubstr("main"));
  EXPECT_EQ(bench.ConditionOf(bench.Backup("nowhere"), kProgressingCondition), "False InvalidReference");
  EXPECT_EQ(bench.BackupPhase(), "Pending");
  bench.clock.Advance(std::chrono::hours{3});
  ASSERT_TRUE(bench.UntilOver());
  for (const char* name : {"nightly", "backend", "nowhere"}) EXPECT_EQ(bench.BackupPhase(name), "Failed") << name;
  EXPECT_THAT(bench.service.told, IsEmpty());
}

TEST(StorageBackups, ShowTheTokenOfAClusterThatAsksForOne) {
  const Json with_auth = {{"service", {{"auth", {{"mode", "ServiceAccount"}}}}}};
  RunBench bench(with_auth);
  bench.CreateBackup();
  ASSERT_TRUE(bench.UntilOver()) << bench.Backup();
  EXPECT_EQ(bench.BackupPhase(), "Succeeded");
  const std::string token = bench.service.token;
  EXPECT_GE(token.size(), 20u);
  const Json config = bench.cluster.Get(kube::kinds::kConfigMap, "demo-config");
  EXPECT_THAT(config.dump(), HasSubstr("storagebackups"));
  EXPECT_THAT(config.dump(), ::testing::Not(HasSubstr(token)));
  EXPECT_THAT(bench.Backup().dump(), ::testing::Not(HasSubstr(token)));
}

TEST(StorageRestores, IsDoneOnceFromAStorageBackup) {
  RunBench bench;
  bench.CreateBackup();
  ASSERT_TRUE(bench.UntilOver());
  bench.CreateRestore({{"backup", "nightly"}});
  ASSERT_TRUE(bench.UntilOver()) << bench.Restore();
  EXPECT_EQ(bench.RestorePhase(), "Succeeded");
  EXPECT_EQ(bench.Restore().at("status").at("id"), bench.Backup().at("status").at("id"));
  EXPECT_EQ(bench.Restore().at("status").at("undo"), "undo-1");
  EXPECT_EQ(bench.Restore().at("status").at("restored"), 12);
  EXPECT_EQ(bench.service.restores, 1);
  EXPECT_THAT(bench.complaints, IsEmpty());
}

TEST(StorageRestores, IsDoneOnceToATime) {
  RunBench bench;
  const Timestamp to = std::chrono::floor<std::chrono::seconds>(bench.clock.Now());
  bench.service.restorable = {.any = true, .earliest = to - std::chrono::hours{1}, .latest = to};
  bench.CreateRestore({{"toTime", FormatTimestamp(to - std::chrono::milliseconds{250})}});
  ASSERT_TRUE(bench.UntilOver()) << bench.Restore();
  EXPECT_EQ(bench.RestorePhase(), "Succeeded");
  EXPECT_EQ(bench.Restore().at("status").at("id"), "base-1");
  EXPECT_EQ(bench.Restore().at("status").at("undo"), "undo-1");
  EXPECT_THAT(bench.service.told, ElementsAre("restore " + FormatTimestamp(to - std::chrono::milliseconds{250})));
  EXPECT_THAT(bench.complaints, IsEmpty());
}

TEST(StorageRestores, ATimeOutsideTheWindowIsTheEnd) {
  RunBench bench;
  const Timestamp now = std::chrono::floor<std::chrono::seconds>(bench.clock.Now());
  bench.CreateRestore({{"toTime", "2026-11-01T00:00:00Z"}}, "without");
  ASSERT_TRUE(bench.UntilOver());
  EXPECT_EQ(bench.ConditionOf(bench.Restore("without"), kFailedCondition), "True OutsideWindow");
  EXPECT_THAT(bench.MessageOf(bench.Restore("without")), HasSubstr("changeArchive"));
  bench.service.restorable = {.any = true, .earliest = now - std::chrono::hours{1}, .latest = now};
  for (const Timestamp to : {now - std::chrono::hours{2}, now + std::chrono::hours{2}}) {
    bench.CreateRestore({{"toTime", FormatTimestamp(to)}}, to < now ? "before" : "behind");
  }
  ASSERT_TRUE(bench.UntilOver());
  for (const char* name : {"before", "behind"}) {
    EXPECT_EQ(bench.ConditionOf(bench.Restore(name), kFailedCondition), "True OutsideWindow") << name;
    EXPECT_THAT(bench.MessageOf(bench.Restore(name)), HasSubstr("nothing was changed"));
    EXPECT_THAT(bench.MessageOf(bench.Restore(name)),
                HasSubstr("from " + FormatTimestamp(now - std::chrono::hours{1}) + " to " + FormatTimestamp(now)));
  }
  EXPECT_EQ(bench.service.restores, 0);
}

TEST(StorageRestores, ALostAnswerToATimeIsNotTriedAgain) {
  RunBench bench;
  bench.service.restorable = {.any = true, .earliest = {}, .latest = bench.clock.Now()};
  bench.service.loses_answers = true;
  bench.CreateRestore({{"toTime", "2026-11-01T00:00:00Z"}});
  ASSERT_TRUE(bench.UntilOver());
  EXPECT_EQ(bench.ConditionOf(bench.Restore(), kFailedCondition), "True OutcomeUnknown");
  for (int round = 0; round < 5; ++round) bench.Round();
  EXPECT_EQ(bench.service.restores, 1);
}

TEST(StorageRestores, WhatCannotBeRestoredFailsAtOnce) {
  RunBench bench;
  bench.service.works = false;
  bench.CreateBackup();
  bench.Round();
  bench.CreateRestore({{"backup", "nightly"}}, "unfinished");
  bench.CreateRestore({{"backup", "other"}}, "missing");
  bench.CreateRestore({{"backupId", "b1"}}, "unknown");
  bench.Round();
  for (const char* name : {"unfinished", "missing", "unknown"}) {
    EXPECT_EQ(bench.ConditionOf(bench.Restore(name), kFailedCondition), "True NoBackup") << name;
  }
  EXPECT_EQ(bench.service.restores, 0);
}

TEST(StorageRestores, ALostAnswerIsNotTriedAgain) {
  RunBench bench;
  bench.service.items["b1"] = Item{.id = "b1", .verified = true};
  bench.service.loses_answers = true;
  bench.CreateRestore({{"backupId", "b1"}});
  ASSERT_TRUE(bench.UntilOver());
  EXPECT_EQ(bench.ConditionOf(bench.Restore(), kFailedCondition), "True OutcomeUnknown");
  for (int round = 0; round < 5; ++round) bench.Round();
  EXPECT_EQ(bench.service.restores, 1);
}

TEST(StorageRestores, WhatWasNotBegunMayBeToldLater) {
  RunBench bench;
  bench.service.items["b1"] = Item{.id = "b1", .verified = true};
  bench.service.refuses = Error(ErrorCode::kUnavailable, "too many runs wait");
  bench.CreateRestore({{"backupId", "b1"}});
  for (int round = 0; round < 5; ++round) bench.Round();
  EXPECT_EQ(bench.RestorePhase(), "Pending");
  bench.service.refuses = {};
  ASSERT_TRUE(bench.UntilOver());
  EXPECT_EQ(bench.RestorePhase(), "Succeeded");
  EXPECT_EQ(bench.service.restores, 1);
}

TEST(StorageRestores, ARefusalIsTheEnd) {
  RunBench bench;
  bench.service.items["b1"] = Item{.id = "b1", .verified = true};
  bench.service.refuses = Error(ErrorCode::kFailedPrecondition, "this store has no checkpoints");
  bench.CreateRestore({{"backupId", "b1"}});
  ASSERT_TRUE(bench.UntilOver());
  EXPECT_EQ(bench.ConditionOf(bench.Restore(), kFailedCondition), "True Refused");
  EXPECT_THAT(bench.MessageOf(bench.Restore()), HasSubstr("no checkpoints"));
}

TEST(StorageRestores, TheEndOfTheProcessIsNoSuccess) {
  for (const bool pod_goes : {false, true}) {
    RunBench bench;
    bench.service.items["b1"] = Item{.id = "b1", .verified = true};
    bench.service.works = false;
    bench.CreateRestore({{"backupId", "b1"}});
    ASSERT_TRUE(bench.Until([&] { return bench.service.restores == 1; }));
    bench.Round();
    EXPECT_EQ(bench.RestorePhase(), "Running");
    bench.service.Restart();
    if (pod_goes) bench.RemovePod("demo-0");
    ASSERT_TRUE(bench.UntilOver());
    EXPECT_EQ(bench.ConditionOf(bench.Restore(), kFailedCondition), "True OutcomeUnknown");
    EXPECT_EQ(bench.service.restores, 1);
  }
}

}  // namespace
}  // namespace holdfast::storagebackup
