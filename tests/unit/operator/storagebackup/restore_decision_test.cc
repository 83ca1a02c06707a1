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
