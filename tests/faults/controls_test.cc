// The bench is put to the proof: operators with known bugs must be caught, each by the invariant that it breaks.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/faults/oracle.h"

namespace holdfast::faults {
namespace {

using ::testing::Contains;
using ::testing::StartsWith;

const FaultPlan kNoFaults{.name = "none"};

std::vector<std::string> Verdict(const Story& story, const FaultPlan& plan, Bug bug) {
  return Judge(Live(story, kNoFaults), Live(story, plan, bug), plan);
}

TEST(FaultControl, WritesByNameAreCaught) {
  const auto verdict = Verdict(EmbeddedLife("Delete"), kNoFaults, Bug::kNoPreconditions);
  EXPECT_THAT(verdict, Contains(StartsWith("I2: the deletion of")));
  EXPECT_THAT(verdict, Contains(StartsWith("I2: a write to")));
}

TEST(FaultControl, DecidingOnOldReadsIsCaught) {
  EXPECT_THAT(Verdict(EmbeddedLife("Delete"), kNoFaults, Bug::kBelievesOldReads), Contains(StartsWith("I1")));
}

TEST(FaultControl, ASecondObjectAfterALostAnswerIsCaught) {
  bool caught = false;
  for (int at = 2; at <= 8 && !caught; ++at) {
    const FaultPlan plan{.name = "reply lost", .writes = {{.effect = Effect::kReplyLost, .at = at}}};
    const auto verdict = Verdict(EmbeddedLife("Retain"), plan, Bug::kRetriesUnderAName);
    for (const std::string& line : verdict) caught = caught || line.find("is left over") != std::string::npos;
  }
  EXPECT_TRUE(caught);
}

TEST(FaultControl, AMigrationThatRunsTwiceIsCaught) {
  EXPECT_THAT(Verdict(DatabaseLife(), kNoFaults, Bug::kMigratesTwice), Contains(StartsWith("I7: migrated was")));
}

TEST(FaultControl, AServiceThatDoesNotWaitForItsMigrationIsCaught) {
  EXPECT_THAT(Verdict(DatabaseLife(), kNoFaults, Bug::kTakesJobsForDone),
              Contains(::testing::ContainsRegex("^I7: Deployment prod/demo gets .*, by which nothing was migrated")));
}

TEST(FaultControl, WritesAtRestAreCaught) {
  EXPECT_THAT(Verdict(Creation(), kNoFaults, Bug::kWritesAtRest), Contains(StartsWith("I9")));
}

TEST(FaultControl, ASecretInAStatusIsCaught) {
  EXPECT_THAT(Verdict(Creation(), kNoFaults, Bug::kTellsSecrets), Contains(StartsWith("I8")));
}

TEST(FaultControl, AStatusThatLiesIsCaught) {
  EXPECT_THAT(Verdict(BackAndForth(), kNoFaults, Bug::kClaimsReady), Contains(StartsWith("I11")));
}

TEST(FaultControl, AClusterThatIsNeverLetGoIsCaught) {
  EXPECT_THAT(Verdict(EmbeddedLife("Delete"), kNoFaults, Bug::kKeepsFinalizer), Contains(StartsWith("I10")));
}

TEST(FaultControl, AnOperatorThatGivesUpIsCaught) {
  const FaultPlan plan{.name = "one 500", .writes = {{.at = 4}}};
  EXPECT_THAT(Verdict(EmbeddedLife("Delete"), plan, Bug::kGivesUp), Contains(StartsWith("I10")));
}

// Without a bug the same plans are passed, so it was the bug that was caught.
TEST(FaultControl, TheRightOperatorPassesTheSame) {
  EXPECT_THAT(Verdict(EmbeddedLife("Delete"), {.name = "one 500", .writes = {{.at = 4}}}, Bug::kNone),
              ::testing::IsEmpty());
  EXPECT_THAT(Verdict(EmbeddedLife("Retain"),
                      {.name = "reply lost", .writes = {{.effect = Effect::kReplyLost, .at = 4}}}, Bug::kNone),
              ::testing::IsEmpty());
}

}  // namespace
}  // namespace holdfast::faults
