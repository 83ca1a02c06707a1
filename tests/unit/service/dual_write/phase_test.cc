#include "service/dual_write/phase.h"

#include <gtest/gtest.h>

namespace holdfast::dual_write {
namespace {

TEST(MigrationPhase, OnlyWhatLeadsOnIsTaken) {
  EXPECT_EQ(Phase::kDualWrite, *PhaseAfter(Phase::kIdle, Action::kStart));
  EXPECT_EQ(Phase::kReadsSwitched, *PhaseAfter(Phase::kVerified, Action::kSwitchReads));
  EXPECT_EQ(Phase::kVerified, *PhaseAfter(Phase::kReadsSwitched, Action::kSwitchBack));
  EXPECT_EQ(Phase::kCutOver, *PhaseAfter(Phase::kReadsSwitched, Action::kCutOver));
  int taken = 0;
  for (const Phase phase : {Phase::kIdle, Phase::kDualWrite, Phase::kVerifying, Phase::kVerified, Phase::kReadsSwitched,
                            Phase::kCutOver, Phase::kAborting}) {
    for (const char* name : {"start", "switch_reads", "switch_back", "cut_over", "abort"}) {
      const auto next = PhaseAfter(phase, *ParseAction(name));
      if (next.ok()) {
        ++taken;
      } else {
        EXPECT_EQ(ErrorCode::kFailedPrecondition, next.error().code());
      }
    }
  }
  EXPECT_EQ(4 + 4, taken);  // and four to abort
}

TEST(MigrationPhase, ACutOverIsFinal) {
  for (const char* name : {"start", "switch_reads", "switch_back", "cut_over", "abort"}) {
    EXPECT_FALSE(PhaseAfter(Phase::kCutOver, *ParseAction(name)).ok()) << name;
  }
  EXPECT_FALSE(ParseAction("undo"));
}

TEST(MigrationPhase, ARowComesBackAsItWasWritten) {
  const PhaseRow row{17, "00ff", Phase::kVerified, Phase::kReadsSwitched, true};
  EXPECT_EQ(row, PhaseRow::Decode(row.Encode()));
  EXPECT_EQ(PhaseRow{}, PhaseRow::Decode(PhaseRow{}.Encode()));
  for (const char* damaged : {"", "1", "1 - idle idle", "1 - idle idle perhaps", "x - idle idle settled",
                              "1 - idle gone settled", "1 - idle idle settled more"}) {
    EXPECT_FALSE(PhaseRow::Decode(damaged)) << damaged;
  }
}

}  // namespace
}  // namespace holdfast::dual_write
