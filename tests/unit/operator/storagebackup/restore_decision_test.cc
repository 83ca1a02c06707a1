#include "operator/controllers/storagebackup/restore_decision.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdfast::storagebackup {
namespace {

using ::testing::HasSubstr;

constexpr Timestamp kCreated{std::chrono::seconds{1'700'000'000}};

RestoreFacts New() {
  RestoreFacts facts;
  facts.restore.metadata = {.ns = "prod", .name = "back", .uid = "u-1", .generation = 1, .created = kCreated};
  facts.restore.spec = {
      .cluster = "demo", .store = "main", .backup = {}, .id = "b1", .deadline = std::chrono::hours{2}};
  facts.id = "b1";
  facts.item = Item{.id = "b1", .verified = true};
  facts.now = kCreated + std::chrono::minutes{1};
  return facts;
}

RestoreFacts Begun() {
  RestoreFacts facts = New();
  facts.restore.status.started = kCreated;
  facts.restore.status.run = "run-1";
  facts.restore.status.id = "b1";
  facts.item.reset();
  return facts;
}

TEST(RestoreDecision, IsToldBehindTheNote) {
  const RestoreVerdict verdict = DecideRestore(New());
  EXPECT_TRUE(verdict.tell);
  EXPECT_TRUE(verdict.status.started.has_value());
  EXPECT_EQ(verdict.status.id, "b1");
}

RestoreFacts NewToTime() {
  RestoreFacts facts = New();
  facts.restore.spec.id.clear();
  facts.restore.spec.to = kCreated - std::chrono::hours{1};
  facts.id.clear();
  facts.item.reset();
  return facts;
}

TEST(RestoreDecision, ToATimeAsksForNoBackupByName) {
  const RestoreVerdict verdict = DecideRestore(NewToTime());
  EXPECT_TRUE(verdict.tell);
  EXPECT_EQ(verdict.status.id, "");
  EXPECT_THAT(verdict.said.message, HasSubstr("2023-11-14T21:13:20Z"));
  RestoreFacts facts = NewToTime();
  facts.silence = "nobody answers";
  EXPECT_FALSE(DecideRestore(facts).tell);
  facts = NewToTime();
  facts.paused = true;
  EXPECT_EQ(DecideRestore(facts).said.reason, "Paused");
}

TEST(RestoreDecision, ToATimeTellsFromWhichBackup) {
  RestoreFacts facts = NewToTime();
  facts.restore.status.started = kCreated;
  facts.restore.status.run = "run-1";
  facts.restore.status.id = "b7";
  facts.run = storagebackup::Run{.id = "run-1", .action = "restore", .state = "succeeded", .undo = "u9"};
  const RestoreVerdict verdict = DecideRestore(facts);
  EXPECT_EQ(verdict.end, End::kComplete);
  EXPECT_THAT(verdict.status.message, HasSubstr("2023-11-14T21:13:20Z, by backup b7"));
  EXPECT_THAT(verdict.status.message, HasSubstr("u9"));
}

TEST(RestoreDecision, AGapIsToldWithTheTimesThereAre) {
  RestoreFacts facts = NewToTime();
  facts.restore.status.started = kCreated;
  facts.restore.status.run = "run-1";
  facts.run = storagebackup::Run{.id = "run-1",
                                 .action = "restore",
                                 .state = "failed",
                                 .problem = "failed_precondition",
                                 .detail = "changes are missing"};
  facts.restorable = Restorable{.any = true, .earliest = kCreated, .latest = kCreated + std::chrono::minutes{5}};
  const RestoreVerdict verdict = DecideRestore(facts);
  EXPECT_EQ(verdict.said.reason, "RestoreFailed");
  EXPECT_THAT(verdict.said.message, HasSubstr("changes are missing"));
  EXPECT_THAT(verdict.said.message, HasSubstr("from 2023-11-14T22:13:20Z to 2023-11-14T22:18:20Z"));
  facts.run->problem = "unavailable";
  EXPECT_THAT(DecideRestore(facts).said.message, ::testing::Not(HasSubstr("every time")));
}

TEST(RestoreRefusal, NamesTheWindowAndTheRemedy) {
  const api::StorageRestoreSpec spec = NewToTime().restore.spec;
  const auto message = [](const Said& said) { return said.message; };
  const Restorable later{.any = true, .earliest = kCreated, .latest = kCreated};
  EXPECT_EQ(Refused(spec, "no", later).reason, "OutsideWindow");
  EXPECT_THAT(message(Refused(spec, "no", later)), HasSubstr("from 2023-11-14T22:13:20Z"));
  EXPECT_THAT(message(Refused(spec, "no", later)), HasSubstr("nothing was changed: no;"));
  EXPECT_EQ(Refused(spec, "no", Restorable{}).reason, "OutsideWindow");
  EXPECT_THAT(message(Refused(spec, "no", Restorable{})), HasSubstr("changeArchive"));
  EXPECT_EQ(Refused(spec, "no", std::nullopt).reason, "Refused");
  EXPECT_THAT(message(Refused(spec, "no", std::nullopt)), HasSubstr("`holdfast backup list`"));
  const Restorable around{.any = true, .earliest = {}, .latest = kCreated};
  EXPECT_EQ(Refused(spec, "no", around).reason, "Refused");
  EXPECT_EQ(message(Refused(New().restore.spec, "no", std::nullopt)),
            "the service refuses, and nothing was changed: no");
}

// In no state behind the note, whatever is known.
TEST(RestoreDecision, IsNeverToldTwice) {
  for (const bool has_run : {true, false}) {
    for (const char* state : {"", "waiting", "running", "succeeded", "failed"}) {
      for (const bool lost : {true, false}) {
        for (const char* silence : {"", "nobody answers"}) {
          for (const bool late : {true, false}) {
            RestoreFacts facts = Begun();
            facts.item = Item{.id = "b1", .verified = true};
            if (!has_run) facts.restore.status.run.clear();
            if (*state != '\0') facts.run = storagebackup::Run{.id = "run-1", .action = "restore", .state = state};
            facts.run_is_lost = lost;
            facts.silence = silence;
            if (late) facts.now = kCreated + std::chrono::hours{5};
            const RestoreVerdict verdict = DecideRestore(facts);
            EXPECT_FALSE(verdict.tell);
            EXPECT_EQ(verdict.end == End::kComplete, has_run && std::string(state) == "succeeded");
            if (late) {
              EXPECT_NE(verdict.end, End::kNone);
            }
          }
        }
      }
    }
  }
}

TEST(RestoreDecision, DoesNotWaitForABackup) {
  RestoreFacts facts = New();
  facts.item.reset();
  EXPECT_EQ(DecideRestore(facts).said.reason, "NoBackup");
  EXPECT_EQ(DecideRestore(facts).end, End::kFailed);
  facts = New();
  facts.item->damage = "cut off";
  EXPECT_EQ(DecideRestore(facts).said.reason, "Damaged");
  facts = New();
  facts.no_backup = Said{"NoBackup", "StorageBackup nightly has not succeeded"};
  EXPECT_THAT(DecideRestore(facts).said.message, HasSubstr("nothing was changed"));
}

TEST(RestoreDecision, WaitsForTheServiceUntilTheDeadline) {
  RestoreFacts facts = New();
  facts.item.reset();
  facts.silence = "nobody answers";
  EXPECT_EQ(DecideRestore(facts).end, End::kNone);
  facts.now = kCreated + std::chrono::hours{2};
  EXPECT_EQ(DecideRestore(facts).said.reason, "DeadlineExceeded");
  facts = New();
  facts.now = kCreated + std::chrono::hours{2};
  EXPECT_FALSE(DecideRestore(facts).tell) << "nobody expects it any more";
}

TEST(RestoreDecision, WhatNobodyKnowsIsSaid) {
  RestoreFacts facts = Begun();
  facts.restore.status.run.clear();
  EXPECT_EQ(DecideRestore(facts).said.reason, "OutcomeUnknown");
  facts = Begun();
  facts.run_is_lost = true;
  EXPECT_EQ(DecideRestore(facts).said.reason, "OutcomeUnknown");
  facts = Begun();
  facts.silence = "nobody answers";
  EXPECT_EQ(DecideRestore(facts).end, End::kNone);
}

TEST(RestoreDecision, TellsWhatWasDone) {
  RestoreFacts facts = Begun();
  facts.run = storagebackup::Run{
      .id = "run-1", .action = "restore", .state = "succeeded", .restored = 5, .deleted = 2, .undo = "u9"};
  const RestoreVerdict verdict = DecideRestore(facts);
  EXPECT_EQ(verdict.end, End::kComplete);
  EXPECT_EQ(verdict.status.restored, 5);
  EXPECT_EQ(verdict.status.deleted, 2);
  EXPECT_EQ(verdict.status.undo, "u9");
  EXPECT_THAT(verdict.status.message, HasSubstr("u9"));
}

}  // namespace
}  // namespace holdfast::storagebackup
