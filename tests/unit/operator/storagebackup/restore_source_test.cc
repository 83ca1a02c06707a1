// StorageRestores from the backups of another cluster.
#include "base/time/duration.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/operator/storagebackup/run_bench.h"

namespace holdfast::storagebackup {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// `place`: of its own, beside it.
Json WithSource(const Json& place = {{"claimName", "backups"}}) {
  Json backups = place;
  backups["source"] = {{"claimName", "former"}};
  return {{"backups", backups}};
}

TEST(StorageRestoresFromASource, IsDoneOnceUnderTheNameThatTheStoreHasThere) {
  RunBench bench(WithSource());
  bench.service.source_items["theirs"]["b1"] = Item{.id = "b1", .verified = true};
  bench.CreateRestore({{"backupId", "b1"}, {"sourceStore", "theirs"}});
  ASSERT_TRUE(bench.UntilOver()) << bench.Restore();
  EXPECT_EQ(bench.RestorePhase(), "Succeeded");
  EXPECT_EQ(bench.Restore().at("status").at("undo"), "undo-1");
  EXPECT_THAT(bench.MessageOf(bench.Restore()), HasSubstr("the source's store theirs"));
  EXPECT_THAT(bench.service.told, ElementsAre("restore b1 of theirs"));
  EXPECT_THAT(bench.complaints, IsEmpty());
  for (int round = 0; round < 5; ++round) bench.Round();
  EXPECT_EQ(bench.service.restores, 1);
}

TEST(StorageRestoresFromASource, ToATimeWhereNoBackupsAreMade) {
  RunBench bench(WithSource({{"claimName", nullptr}}));
  const Timestamp to = std::chrono::floor<std::chrono::seconds>(bench.clock.Now());
  bench.service.restorable = {.any = true, .earliest = to - std::chrono::hours{1}, .latest = to};
  bench.CreateRestore({{"toTime", FormatTimestamp(to)}, {"sourceStore", "theirs"}});
  bench.CreateRestore({{"backupId", "b1"}}, "own");
  bench.CreateBackup();
  ASSERT_TRUE(bench.Until([&] { return bench.RestorePhase() == "Succeeded"; })) << bench.Restore();
  EXPECT_THAT(bench.service.told, ElementsAre("restore " + FormatTimestamp(to) + " of theirs"));
  // Of its own there are none.
  EXPECT_EQ(bench.ConditionOf(bench.Restore("own"), kProgressingCondition), "False NoPlace");
  EXPECT_EQ(bench.ConditionOf(bench.Backup(), kProgressingCondition), "False NoPlace");
}

TEST(StorageRestoresFromASource, AStorageBackupOfTheOtherClusterSaysWhichBackup) {
  RunBench bench(WithSource());
  bench.CreateBackup(Json::object(), "theirs");
  ASSERT_TRUE(bench.UntilOver());
  const std::string id = bench.Backup("theirs").at("status").at("id");
  bench.service.source_items["main"][id] = Item{.id = id, .verified = true};
  bench.CreateRestore({{"backup", "theirs"}, {"sourceStore", "main"}});
  bench.CreateRestore({{"backup", "theirs"}, {"sourceStore", "other"}}, "of-another-store");
  ASSERT_TRUE(bench.UntilOver());
  EXPECT_EQ(bench.RestorePhase(), "Succeeded") << bench.Restore();
  EXPECT_EQ(bench.ConditionOf(bench.Restore("of-another-store"), kFailedCondition), "True NoBackup");
  EXPECT_THAT(bench.MessageOf(bench.Restore("of-another-store")), HasSubstr("sourceStore is other"));
  EXPECT_EQ(bench.service.restores, 1);
}

TEST(StorageRestoresFromASource, WhatIsNotThereIsSaid) {
  RunBench bench(WithSource());
  // Its own of that id is another one.
  bench.service.items["b1"] = Item{.id = "b1", .verified = true};
  bench.CreateRestore({{"backupId", "b1"}, {"sourceStore", "theirs"}});
  bench.service.source_items["theirs"]["bad"] = Item{.id = "bad", .damage = "its manifest is too long"};
  bench.CreateRestore({{"backupId", "bad"}, {"sourceStore", "theirs"}}, "damaged");
  ASSERT_TRUE(bench.UntilOver());
  EXPECT_EQ(bench.ConditionOf(bench.Restore(), kFailedCondition), "True NoBackup");
  EXPECT_THAT(bench.MessageOf(bench.Restore()), HasSubstr("holdfast backup list --source theirs"));
  EXPECT_EQ(bench.ConditionOf(bench.Restore("damaged"), kFailedCondition), "True Damaged");
  EXPECT_EQ(bench.service.restores, 0);
}

TEST(StorageRestoresFromASource, AClusterThatNamesNoneSaysWhatToDo) {
  RunBench bench;
  bench.service.items["b1"] = Item{.id = "b1", .verified = true};
  bench.CreateRestore({{"backupId", "b1"}, {"sourceStore", "main"}});
  bench.Round();
  EXPECT_EQ(bench.RestorePhase(), "Pending");
  EXPECT_EQ(bench.ConditionOf(bench.Restore(), kProgressingCondition), "False NoSource");
  EXPECT_THAT(bench.MessageOf(bench.Restore()), HasSubstr("spec.backups.source"));
  EXPECT_EQ(bench.service.restores, 0);
}

}  // namespace
}  // namespace holdfast::storagebackup
