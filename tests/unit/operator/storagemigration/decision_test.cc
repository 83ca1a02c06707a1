#include "operator/controllers/storagemigration/decision.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdfast::storagemigration {
namespace {

using ::testing::HasSubstr;

constexpr std::chrono::hours kDay{24};

// Under way, started, and the service says `phase`.
Facts UnderWay(const std::string& phase) {
  Facts facts;
  facts.migration.name = "move";
  facts.migration.uid = "u1";
  facts.migration.spec = {.cluster = "demo", .store = "main", .to = "new", .deadline = kDay};
  facts.migration.status.former_id = "before";
  facts.migration.created = Timestamp{} + kDay;
  facts.now = facts.migration.created + std::chrono::minutes{1};
  facts.held = true;
  facts.moves =
      std::vector<api::StoreMove>{{.store = "main", .backend = "old", .to = "new", .migration = "move", .uid = "u1"}};
  facts.wanted = facts.moves->front();
  facts.pods = 2;
  facts.report = Report{.phase = phase, .id = phase == "idle" ? "before" : "this", .instances = 2};
  return facts;
}

// Nothing has been done for it.
Facts New() {
  Facts facts = UnderWay("idle");
  facts.migration.status = {};
  facts.held = false;
  facts.moves->clear();
  facts.report.reset();
  return facts;
}

std::string ReasonOf(const Facts& facts) {
  const Verdict verdict = Decide(facts);
  return (verdict.progressing ? "" : "waits ") + verdict.progress.reason;
}

TEST(MigrationDecision, EachPhaseHasItsStep) {
  struct Row {
    const char* phase;
    api::CutOver cut_over;
    std::int64_t differences;
    Act act;
    const char* reason;
  };
  constexpr auto kAutomatic = api::CutOver::kAutomatic;
  constexpr auto kManual = api::CutOver::kManual;
  constexpr auto kApproved = api::CutOver::kApproved;
  for (const Row& row :
       {Row{"idle", kAutomatic, 0, Act::kStart, "Starting"}, Row{"dual_write", kAutomatic, 0, Act::kNone, "Copying"},
        Row{"verifying", kAutomatic, 0, Act::kNone, "Comparing"},
        Row{"verified", kAutomatic, 0, Act::kSwitchReads, "SwitchingReads"},
        Row{"verified", kAutomatic, 1, Act::kNone, "waits DifferencesFound"},
        Row{"verified", kApproved, 1, Act::kSwitchReads, "SwitchingReads"},
        Row{"verified", kManual, 1, Act::kSwitchReads, "SwitchingReads"},
        Row{"reads_switched", kAutomatic, 0, Act::kCutOver, "CuttingOver"},
        Row{"reads_switched", kAutomatic, 1, Act::kNone, "waits DifferencesFound"},
        Row{"reads_switched", kManual, 0, Act::kNone, "waits WaitingForApproval"},
        Row{"reads_switched", kApproved, 1, Act::kCutOver, "CuttingOver"},
        Row{"cut_over", kManual, 0, Act::kSettle, "Settling"}}) {
    Facts facts = UnderWay(row.phase);
    facts.migration.spec.cut_over = row.cut_over;
    facts.report->differences = row.differences;
    EXPECT_EQ(Decide(facts).act, row.act) << row.phase;
    EXPECT_EQ(ReasonOf(facts), row.reason) << row.phase;
  }
}

TEST(MigrationDecision, AWishToEndComesBeforeEveryStepButTheCutOver) {
  struct Row {
    const char* phase;
    Act act;
  };
  for (const Row& row : {Row{"idle", Act::kForget}, Row{"dual_write", Act::kAbort}, Row{"verifying", Act::kAbort},
                         Row{"verified", Act::kAbort}, Row{"reads_switched", Act::kAbort}, Row{"aborting", Act::kNone},
                         Row{"cut_over", Act::kSettle}}) {
    for (int wish = 0; wish < 3; ++wish) {
      Facts facts = UnderWay(row.phase);
      if (wish == 0) facts.migration.being_deleted = true;
      if (wish == 1) facts.migration.spec.abort = true;
      if (wish == 2) facts.now = facts.migration.created + kDay;
      const Verdict verdict = Decide(facts);
      EXPECT_EQ(verdict.act, row.act) << row.phase;
      constexpr const char* kEndings[] = {"Deleted", "AbortRequested", "DeadlineExceeded"};
      EXPECT_EQ(verdict.status.ending, kEndings[wish]) << "said before it is done";
    }
  }
}

TEST(MigrationDecision, NothingIsDoneWhileAChangeOfPhaseIsPending) {
  for (const char* phase : {"dual_write", "verified", "reads_switched", "cut_over", "aborting", "idle"}) {
    Facts facts = UnderWay(phase);
    facts.report->pending = true;
    facts.migration.spec.abort = true;
    EXPECT_EQ(Decide(facts).act, Act::kNone) << phase;
    EXPECT_FALSE(Decide(facts).complete.has_value()) << phase;
  }
}

TEST(MigrationDecision, BeginsWithAHoldThenTheMoveThenTheStart) {
  Facts facts = New();
  EXPECT_EQ(Decide(facts).act, Act::kHold);
  facts.held = true;
  EXPECT_EQ(Decide(facts).act, Act::kPrepare);
  facts = UnderWay("idle");
  facts.migration.status.former_id.reset();
  facts.report->id = "an older one";
  const Verdict start = Decide(facts);
  EXPECT_EQ(start.act, Act::kStart);
  EXPECT_EQ(start.status.former_id, "an older one") << "written before it is told";
}

TEST(MigrationDecision, DoesNotStartBeforeEveryPodMayMoveTheStore) {
  Facts facts = UnderWay("idle");
  facts.migration.status.former_id.reset();
  facts.rolling = "1 of 2 pods are ready";
  EXPECT_EQ(ReasonOf(facts), "ConfigurationRollingOut");
  facts.rolling.reset();
  facts.report->instances = 1;
  EXPECT_EQ(ReasonOf(facts), "ConfigurationRollingOut");
  EXPECT_EQ(Decide(facts).act, Act::kNone);
  facts.report->instances = 2;
  EXPECT_EQ(Decide(facts).act, Act::kStart);
}

TEST(MigrationDecision, WhatRanIsNotStartedAgain) {
  Facts facts = UnderWay("idle");
  facts.report->id = "this";
  const Verdict verdict = Decide(facts);
  EXPECT_EQ(verdict.act, Act::kForget);
  EXPECT_EQ(verdict.status.ending, "AbortedElsewhere");
}

TEST(MigrationDecision, WhatSomebodyElseHasBegunIsAborted) {
  Facts facts = UnderWay("dual_write");
  facts.migration.status.former_id.reset();
  EXPECT_EQ(Decide(facts).act, Act::kAbort);
  EXPECT_EQ(Decide(facts).status.ending, "AlreadyUnderWay");
  facts = UnderWay("cut_over");
  facts.migration.status.former_id.reset();
  EXPECT_EQ(Decide(facts).act, Act::kNone);
  EXPECT_EQ(ReasonOf(facts), "waits AlreadyCutOver");
}

TEST(MigrationDecision, AMoveThatTheClusterHasForgottenIsAborted) {
  Facts facts = UnderWay("verified");
  facts.moves->clear();
  facts.report.reset();
  Verdict verdict = Decide(facts);
  EXPECT_EQ(verdict.act, Act::kPrepare) << "so that the service can abort it";
  EXPECT_EQ(verdict.status.ending, "MoveForgotten");
  facts = UnderWay("verified");
  facts.migration.status = verdict.status;
  EXPECT_EQ(Decide(facts).act, Act::kAbort);
}

TEST(MigrationDecision, AfterTheAbortItHasFailedAndGoes) {
  Facts facts = UnderWay("idle");
  facts.moves->clear();
  facts.report.reset();
  facts.migration.status.ending = "AbortRequested";
  facts.migration.status.service_phase = "idle";
  facts.migration.status.from = "old";
  const Verdict verdict = Decide(facts);
  EXPECT_EQ(verdict.act, Act::kRelease);
  ASSERT_TRUE(verdict.failed.has_value());
  EXPECT_THAT(verdict.failed->message, HasSubstr("store main is in backend old as before"));
}

TEST(MigrationDecision, AfterTheCutOverTheConfigurationWaitsForTheTidying) {
  Facts facts = UnderWay("cut_over");
  facts.tidying = std::chrono::seconds{30};
  Verdict verdict = Decide(facts);
  EXPECT_EQ(verdict.act, Act::kNone);
  ASSERT_TRUE(verdict.status.cut_over_time.has_value());
  EXPECT_TRUE(verdict.complete.has_value());
  facts.migration.status = verdict.status;
  facts.now += facts.tidying;
  EXPECT_EQ(Decide(facts).act, Act::kSettle);
}

TEST(MigrationDecision, ASilentServiceIsNotTakenForAnyPhase) {
  Facts facts = UnderWay("verified");
  facts.report.reset();
  facts.silence = "nobody answers";
  EXPECT_EQ(Decide(facts).act, Act::kNone);
  EXPECT_EQ(ReasonOf(facts), "ServiceSilent");
  facts.migration.spec.abort = true;
  EXPECT_EQ(Decide(facts).act, Act::kNone) << "the store may be cut over";
  EXPECT_THAT(Decide(facts).failed->message, HasSubstr("still to be done"));
}

TEST(MigrationDecision, IsTerminalAtItsDeadlineWhateverIsInTheWay) {
  std::vector<Facts> all = {UnderWay("verified"), UnderWay("aborting"), UnderWay("verified"), UnderWay("idle"), New()};
  all[0].report->pending = true;
  all[2].report.reset();
  all[3].moves->clear();
  all[3].wanted.reset();
  all[3].unusable = Said{"InvalidReference", "the StorageCluster's spec is not valid"};
  all[4].unusable = Said{"InvalidReference", "there is no such store"};
  for (Facts& facts : all) {
    EXPECT_FALSE(Decide(facts).failed.has_value());
    facts.now = facts.migration.created + kDay;
    const Verdict verdict = Decide(facts);
    ASSERT_TRUE(verdict.failed.has_value()) << verdict.progress.reason;
    EXPECT_EQ(verdict.failed->reason, "DeadlineExceeded");
  }
  // Told, and nobody has answered yet: it may be too late.
  Facts facts = UnderWay("cut_over");
  facts.report->pending = true;
  facts.now = facts.migration.created + kDay;
  EXPECT_FALSE(Decide(facts).failed.has_value());
}

TEST(MigrationDecision, AnotherRateIsWrittenWhileItRuns) {
  Facts facts = UnderWay("dual_write");
  facts.wanted->keys_per_second = 1'000;
  EXPECT_EQ(Decide(facts).act, Act::kPrepare);
  facts.migration.spec.abort = true;
  EXPECT_EQ(Decide(facts).act, Act::kAbort);
}

TEST(MigrationDecision, APauseStopsEveryStepForward) {
  for (const char* phase : {"idle", "verified", "reads_switched"}) {
    Facts facts = UnderWay(phase);
    facts.paused = true;
    EXPECT_EQ(Decide(facts).act, Act::kNone) << phase;
    EXPECT_EQ(ReasonOf(facts), "waits Paused") << phase;
  }
  Facts facts = New();
  facts.paused = true;
  EXPECT_EQ(Decide(facts).act, Act::kNone);
}

TEST(MigrationDecision, ItsConditionsSayForWhichSpec) {
  Facts facts = UnderWay("dual_write");
  facts.migration.generation = 7;
  const api::StorageMigrationStatus status = Conclude(Decide(facts), facts.now);
  ASSERT_EQ(status.conditions.size(), 3u);
  for (const api::Condition& condition : status.conditions) {
    EXPECT_EQ(condition.observed_generation, 7);
    EXPECT_FALSE(condition.reason.empty());
    EXPECT_FALSE(condition.message.empty());
  }
}

}  // namespace
}  // namespace holdfast::storagemigration
