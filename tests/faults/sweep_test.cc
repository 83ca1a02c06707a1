// Every write of a cluster's life in turn meets every fault, every old view is shown at every later step, every stretch
// of steps is hidden; each run must end as the one without faults.
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/faults/oracle.h"

namespace holdfast::faults {
namespace {

using ::testing::IsEmpty;

const FaultPlan kNoFaults{.name = "reference"};

// The reference of a story, lived through once.
const RunRecord& Reference(const Story& story) {
  static std::map<std::string, RunRecord> references;
  const auto found = references.find(story.name);
  if (found != references.end()) return found->second;
  return references.emplace(story.name, Live(story, kNoFaults)).first->second;
}

void ExpectAsReference(const Story& story, const FaultPlan& plan) {
  EXPECT_THAT(Judge(Reference(story), Live(story, plan), plan), IsEmpty()) << story.name << ", " << plan.name;
}

TEST(FaultReference, HoldsItself) {
  for (const Story& story : {EmbeddedLife("Retain"), EmbeddedLife("Delete"), BackAndForth()}) {
    const RunRecord& reference = Reference(story);
    EXPECT_THAT(Judge(reference, reference, kNoFaults), IsEmpty()) << story.name;
    EXPECT_GT(reference.writes, 12) << story.name;
    EXPECT_EQ(reference.crashes, 0);
  }
  EXPECT_EQ(Reference(EmbeddedLife("Retain")).uids.at("PersistentVolumeClaim").size(), 1u);
  EXPECT_EQ(Reference(EmbeddedLife("Delete")).uids.at("PersistentVolumeClaim").size(), 2u);
}

struct Swept {
  const char* name;
  Effect effect;
  const char* policy;
};

// The writes are dealt out to several cases, so that none takes long.
constexpr int kParts = 4;

class EveryWrite : public ::testing::TestWithParam<std::tuple<Swept, int>> {};

TEST_P(EveryWrite, EndsAsTheReference) {
  const auto& [swept, part] = GetParam();
  const Story story = EmbeddedLife(swept.policy);
  for (int at = 1 + part; at <= Reference(story).writes; at += kParts) {
    const FaultPlan plan{.name = std::string(swept.name) + " at write " + std::to_string(at),
                         .writes = {{.effect = swept.effect, .at = at}}};
    ExpectAsReference(story, plan);
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Faults, EveryWrite,
    ::testing::Combine(::testing::Values(Swept{"CrashBefore", Effect::kCrashBefore, "Retain"},
                                         Swept{"CrashAfter", Effect::kCrashAfter, "Delete"},
                                         Swept{"RequestLost", Effect::kRequestLost, "Retain"},
                                         Swept{"ReplyLost", Effect::kReplyLost, "Delete"},
                                         Swept{"OtherLeader", Effect::kOtherLeaderFirst, "Delete"}),
                       ::testing::Range(0, kParts)),
    [](const auto& instance) {
      return std::string(std::get<0>(instance.param).name) + std::to_string(std::get<1>(instance.param));
    });

// Each write of the story meets one effect; they take turns, since the same kind of write comes again and again. `part`
// of kTurns parts.
constexpr int kTurns = 20;

void SweepInTurns(const Story& story, int part) {
  constexpr Effect kEffects[] = {Effect::kCrashBefore, Effect::kCrashAfter, Effect::kRequestLost, Effect::kReplyLost,
                                 Effect::kOtherLeaderFirst};
  for (int at = 1 + part; at <= Reference(story).writes; at += kTurns) {
    const int turn = (at + at / kTurns) % 5;
    ExpectAsReference(story, {.name = "effect " + std::to_string(turn) + " at write " + std::to_string(at),
                              .writes = {{.effect = kEffects[turn], .at = at}}});
    if (::testing::Test::HasFailure()) return;
  }
}

// Of a cluster with a database: each migration runs once, in its order, and before the service that needs it.
class EveryWriteOfADatabase : public ::testing::TestWithParam<int> {};

TEST_P(EveryWriteOfADatabase, EndsAsTheReference) {
  const Story story = DatabaseLife();
  const std::vector<std::string> migrations{"db by holdfast:test", "db by holdfast:next", "db by holdfast:test",
                                            "db by holdfast:test"};
  EXPECT_EQ(Reference(story).migrations, migrations);
  SweepInTurns(story, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Faults, EveryWriteOfADatabase, ::testing::Range(0, kTurns));

// A volume that grows by itself: however a growth is interrupted it ends at the maximum, and nothing is written for
// ever.
class EveryWriteOfAFillingVolume : public ::testing::TestWithParam<int> {};

TEST_P(EveryWriteOfAFillingVolume, EndsAsTheReference) {
  const Story story = FillingLife();
  const Json& claim = Reference(story).objects.at(3).at("PersistentVolumeClaim/data-demo-0");
  EXPECT_EQ(claim.at("spec").at("resources").at("requests").at("storage"), "3Gi");
  SweepInTurns(story, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Faults, EveryWriteOfAFillingVolume, ::testing::Range(0, kTurns));

// Of a cluster with TLS: whatever is interrupted, there is one authority at a time, a certificate of it, and what is
// published of it.
class EveryWriteOfTls : public ::testing::TestWithParam<int> {};

TEST_P(EveryWriteOfTls, EndsAsTheReference) {
  const Story story = TlsLife();
  for (const char* object : {"Secret/demo-ca", "Secret/demo-tls", "ConfigMap/demo-ca"}) {
    EXPECT_TRUE(Reference(story).objects.at(0).contains(object)) << object;
    EXPECT_FALSE(Reference(story).objects.at(1).contains(object)) << object << " when TLS is off";
    EXPECT_TRUE(Reference(story).objects.back().contains(object)) << object;
  }
  SweepInTurns(story, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Faults, EveryWriteOfTls, ::testing::Range(0, kTurns));

class EveryWriteOfACache : public ::testing::TestWithParam<int> {};

TEST_P(EveryWriteOfACache, EndsAsTheReference) {
  SweepInTurns(CacheLife(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Faults, EveryWriteOfACache, ::testing::Range(0, kTurns));

TEST(FaultTimeTravel, AnOldViewAtEveryLaterStepChangesNothing) {
  for (const Story& story : {EmbeddedLife("Delete"), BackAndForth()}) {
    for (std::size_t shown = 1; shown < story.steps.size(); ++shown) {
      for (std::size_t remembered = 0; remembered < shown; ++remembered) {
        ExpectAsReference(story, {.name = "view of step " + std::to_string(remembered) + " at " + std::to_string(shown),
                                  .replay = Replay{remembered, shown}});
      }
    }
  }
}

TEST(FaultHiddenSteps, OnlyTheOutcomeCounts) {
  const Story story = BackAndForth();
  for (std::size_t last = 1; last < story.steps.size(); ++last) {
    for (std::size_t first = 0; first < last; ++first) {
      ExpectAsReference(story, {.name = "hidden " + std::to_string(first) + " to " + std::to_string(last),
                                .hidden = HiddenSteps{first, last}});
    }
  }
}

TEST(FaultStorm, ConflictsAndRefusalsCostRetriesOnly) {
  const std::vector<FaultPlan> storms{
      {.name = "every 3rd write 409", .writes = {{.at = 3, .every = 3, .code = ErrorCode::kVersionConflict}}},
      {.name = "every 5th write 500", .writes = {{.at = 5, .every = 5, .code = ErrorCode::kUnavailable}}},
      {.name = "every 3rd 409, every 5th 429, every 7th lost",
       .writes = {{.at = 3, .every = 3, .code = ErrorCode::kVersionConflict},
                  {.at = 5, .every = 5, .code = ErrorCode::kUnavailable},
                  {.effect = Effect::kReplyLost, .at = 7, .every = 7}}},
      {.name = "killed at every 4th write", .writes = {{.effect = Effect::kCrashAfter, .at = 4, .every = 4}}},
      {.name = "another leader at every 2nd write",
       .writes = {{.effect = Effect::kOtherLeaderFirst, .at = 2, .every = 2}}},
  };
  for (const FaultPlan& storm : storms) {
    for (const char* policy : {"Retain", "Delete"}) ExpectAsReference(EmbeddedLife(policy), storm);
  }
}

// An old view shows the claim as it was before it grew: nothing shrinks, and nothing grows again.
TEST(FaultAutogrow, AnOldViewOfTheVolumeChangesNothing) {
  const Story story = FillingLife();
  for (std::size_t shown = 2; shown < story.steps.size(); ++shown) {
    for (std::size_t remembered = 1; remembered < shown; ++remembered) {
      ExpectAsReference(story,
                        {.name = "as after step " + std::to_string(remembered) + ", at step " + std::to_string(shown),
                         .replay = Replay{remembered, shown}});
    }
  }
}

TEST(FaultOutage, TheServerIsGoneAndComesBack) {
  for (int from = 1; from < 120; from += 17) {
    ExpectAsReference(EmbeddedLife("Retain"),
                      {.name = "outage from request " + std::to_string(from), .outage = Outage{from, 30}});
  }
}

}  // namespace
}  // namespace holdfast::faults
