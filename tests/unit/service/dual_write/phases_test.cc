// One instance through the phases.
#include "tests/unit/service/dual_write/moving_store.h"

namespace holdfast::dual_write {
namespace {

using storage::Expiry;
using storage::Operation;
using storage::Precondition;

class Phases : public MovingStore {};

TEST_F(Phases, WhatWasThereIsCopiedComparedAndServedByTheTargetAtTheEnd) {
  for (int i = 0; i < 500; ++i) (void)Run(*source_, Operation::Put("k" + std::to_string(i), std::to_string(i)));
  (void)Run(*source_, Operation::Put("kttl", "1", {}, Expiry::After(std::chrono::hours{1})));
  (void)Run(*source_, Operation::Put("other", "stays"));
  const auto instance = Instance();
  Do(*instance, Action::kStart);
  Await(*instance, Phase::kVerified);
  const auto state = instance->State(Deadline::After(kPatience));
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(501u, state->progress.copied);
  EXPECT_EQ(501u, state->progress.compared);
  EXPECT_EQ(0u, state->progress.differences);
  EXPECT_EQ(1u, state->instances);
  Do(*instance, Action::kSwitchReads);
  (void)Run(*instance, Operation::Put("k0", "new"));
  EXPECT_EQ("new", Value(*instance, "k0"));
  EXPECT_EQ("new", Value(*source_, "k0"));
  Do(*instance, Action::kCutOver);
  EXPECT_EQ(Content(*source_), Content(*beneath_));
  (void)Run(*instance, Operation::Put("k0", "newer"));
  EXPECT_EQ("new", Value(*source_, "k0"));
  EXPECT_EQ("newer", Value(*beneath_, "k0"));
  EXPECT_EQ("-", Value(*beneath_, "other"));
}

TEST_F(Phases, VersionsAndTimesAreTheSourcesUntilTheCutOver) {
  const auto instance = Instance();
  Do(*instance, Action::kStart);
  Await(*instance, Phase::kVerified);
  const storage::Version version = Run(*instance, Operation::Put("k", "1")).version;
  Do(*instance, Action::kSwitchReads);
  const auto read = Run(*instance, Operation::Get("k"));
  ASSERT_TRUE(read.status.ok());
  EXPECT_EQ(version, read.version);
  EXPECT_EQ(Run(*source_, Operation::Get("k")).entry->created_at, read.entry->created_at);
  EXPECT_TRUE(Run(*instance, Operation::Put("k", "2", Precondition::VersionIs(version))).status.ok());
  EXPECT_EQ(ErrorCode::kVersionConflict,
            Run(*instance, Operation::Put("k", "3", Precondition::VersionIs(version))).status.error().code());
}

TEST_F(Phases, ReadsCanBeSwitchedBackAndTheMigrationAborted) {
  const auto instance = Instance();
  (void)Run(*instance, Operation::Put("k", "1"));
  Do(*instance, Action::kStart);
  Await(*instance, Phase::kVerified);
  Do(*instance, Action::kSwitchReads);
  (void)Run(*instance, Operation::Put("k", "2"));
  (void)Run(*instance, Operation::Put("kk", "2"));
  Do(*instance, Action::kSwitchBack);
  EXPECT_EQ("2", Value(*instance, "k"));
  Do(*instance, Action::kAbort);
  Await(*instance, Phase::kIdle);
  EXPECT_EQ("2", Value(*instance, "kk"));
  EXPECT_EQ(0u, *beneath_->Count(storage::KeyRange::All(), Deadline::Infinite()));
  // And once more from the beginning.
  Do(*instance, Action::kStart);
  Await(*instance, Phase::kVerified);
  EXPECT_EQ(Content(*source_), Content(*beneath_));
}

TEST_F(Phases, ATargetThatHasSuchAStoreIsRefused) {
  (void)Run(*beneath_, Operation::Put("k", "somebody's"));
  const auto instance = Instance();
  const Status started = instance->Act(Action::kStart, Deadline::After(kPatience));
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(ErrorCode::kFailedPrecondition, started.error().code());
  EXPECT_EQ("somebody's", Value(*beneath_, "k"));
}

TEST_F(Phases, ACutOverIsRememberedByTheTargetWhateverTheSourceHas) {
  auto instance = Instance();
  (void)Run(*instance, Operation::Put("k", "1"));
  Do(*instance, Action::kStart);
  Await(*instance, Phase::kVerified);
  Do(*instance, Action::kSwitchReads);
  Do(*instance, Action::kCutOver);
  instance.reset();
  ASSERT_TRUE(source_->DeleteRange(storage::KeyRange::All(), Deadline::Infinite()).ok());
  instance = Instance();
  ExpectToStay("1", *instance, "k");
  EXPECT_EQ(ErrorCode::kFailedPrecondition, instance->Act(Action::kAbort, Deadline::After(kPatience)).error().code());
}

TEST_F(Phases, ASourceThatIsEmptiedBehindTheCutOverIsNotServedAgain) {
  const auto instance = Instance();
  (void)Run(*instance, Operation::Put("k", "1"));
  Do(*instance, Action::kStart);
  Await(*instance, Phase::kVerified);
  Do(*instance, Action::kSwitchReads);
  Do(*instance, Action::kCutOver);
  ASSERT_TRUE(source_->DeleteRange(storage::KeyRange::All(), Deadline::Infinite()).ok());
  ExpectToStay("1", *instance, "k");
  EXPECT_TRUE(Run(*instance, Operation::Put("k", "2")).status.ok());
  EXPECT_EQ("2", Value(*beneath_, "k"));
}

TEST_F(Phases, ASourceThatHasLostItsDataIsNotServedFromACopy) {
  auto instance = Instance();
  (void)Run(*instance, Operation::Put("k", "1"));
  Do(*instance, Action::kStart);
  Await(*instance, Phase::kVerified);
  instance.reset();
  ASSERT_TRUE(source_->DeleteRange(storage::KeyRange::All(), Deadline::Infinite()).ok());
  instance = Instance();
  Await(*instance, Phase::kIdle);
  const Deadline patience = Deadline::After(kPatience);
  while (!Content(*beneath_).empty() && !patience.Expired()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  EXPECT_TRUE(Content(*beneath_).empty());
  EXPECT_EQ("-", Value(*instance, "k"));
}

TEST_F(Phases, ABackfillGoesOnWhereItStopped) {
  for (int i = 0; i < 300; ++i) (void)Run(*source_, Operation::Put("k" + std::to_string(1000 + i), "v"));
  DualWriteOptions options;
  options.store = "main";
  options.range = storage::KeyRange::Prefix("k");
  options.mover = {/*batch=*/10, /*rate=*/20};  // a quarter of a minute in all
  auto slow = std::make_unique<DualWriteBackend>(source_, target_, options);
  ASSERT_TRUE(slow->Start(Deadline::After(kPatience)).ok());
  Do(*slow, Action::kStart);
  const Deadline patience = Deadline::After(kPatience);
  while (Content(*beneath_).size() < 30 && !patience.Expired()) {
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  slow.reset();
  const auto before = Content(*beneath_).size();
  EXPECT_GE(before, 30u);
  EXPECT_LT(before, 300u);
  const auto instance = Instance();
  Await(*instance, Phase::kVerified);
  const auto state = instance->State(Deadline::After(kPatience));
  ASSERT_TRUE(state.ok());
  // Nothing was gone through twice but what was under way, and nothing was left out.
  EXPECT_GE(state->progress.copied, 300u);
  EXPECT_LE(state->progress.copied, 310u);
  EXPECT_EQ(Content(*source_), Content(*beneath_));
}

}  // namespace
}  // namespace holdfast::dual_write
