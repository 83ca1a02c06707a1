// A target that fails, in phases where it may be passed over and in those where it may not.
#include "tests/unit/service/dual_write/moving_store.h"

namespace holdfast::dual_write {
namespace {

using storage::Operation;

class TargetFaults : public MovingStore {};

TEST_F(TargetFaults, WhileItIsBeingFilledTheStoreGoesOnAndTheComparisonFindsWhatIsMissing) {
  auto idle = Instance(/*batch=*/0);  // fills nothing
  Do(*idle, Action::kStart);
  (void)Run(*idle, Operation::Put("ka", "1"));
  target_->down = true;
  EXPECT_TRUE(Run(*idle, Operation::Put("ka", "2")).status.ok());
  EXPECT_TRUE(Run(*idle, Operation::Put("kb", "2")).status.ok());
  EXPECT_EQ(2u, idle->missed_writes());
  target_->down = false;
  EXPECT_EQ("1", Value(*beneath_, "ka"));
  const auto filling = Instance();
  Await(*filling, Phase::kVerified);
  EXPECT_EQ(Content(*source_), Content(*beneath_));
}

TEST_F(TargetFaults, OnceItIsVerifiedNothingIsWrittenWithoutIt) {
  const auto instance = Instance();
  Do(*instance, Action::kStart);
  Await(*instance, Phase::kVerified);
  (void)Run(*instance, Operation::Put("k", "1"));
  target_->down = true;
  const auto refused = Run(*instance, Operation::Put("k", "2"));
  ASSERT_FALSE(refused.status.ok());
  EXPECT_EQ(ErrorCode::kUnavailable, refused.status.error().code());
  EXPECT_EQ("1", Value(*source_, "k"));
  EXPECT_EQ("1", Value(*instance, "k"));  // reads do not need it
}

TEST_F(TargetFaults, AWriteThatItDidNotTakeInTheEndIsOfUnknownFateAndIsCopiedBeforeReadsAreSwitched) {
  const auto instance = Instance();
  Do(*instance, Action::kStart);
  Await(*instance, Phase::kVerified);
  (void)Run(*instance, Operation::Put("k", "1"));
  (void)Run(*instance, Operation::Put("kgone", "1"));
  target_->transactions_lost = true;
  const auto put = Run(*instance, Operation::Put("k", "2"));
  const auto deleted = Run(*instance, Operation::Delete("kgone"));
  ASSERT_FALSE(put.status.ok());
  ASSERT_FALSE(deleted.status.ok());
  EXPECT_EQ(ErrorCode::kOutcomeUnknown, put.status.error().code());
  EXPECT_EQ(ErrorCode::kOutcomeUnknown, deleted.status.error().code());
  // Readers of the source see both, so it must stay that way.
  EXPECT_EQ("2", Value(*instance, "k"));
  EXPECT_EQ("-", Value(*instance, "kgone"));
  EXPECT_EQ("1", Value(*beneath_, "k"));
  target_->transactions_lost = false;
  Do(*instance, Action::kSwitchReads);
  EXPECT_EQ("2", Value(*instance, "k"));
  EXPECT_EQ("-", Value(*instance, "kgone"));
}

TEST_F(TargetFaults, OnceReadsAreSwitchedNoAnswerTellsWhatItDoesNotHave) {
  const auto instance = Instance();
  Do(*instance, Action::kStart);
  Await(*instance, Phase::kVerified);
  Do(*instance, Action::kSwitchReads);
  (void)Run(*source_, Operation::Put("k", "of a crashed instance"));
  target_->transactions_lost = true;
  const auto refused = Run(*instance, Operation::Put("k", "1", storage::Precondition::Absent()));
  ASSERT_FALSE(refused.status.ok());
  EXPECT_EQ(ErrorCode::kUnavailable, refused.status.error().code());
  target_->transactions_lost = false;
  EXPECT_EQ("-", Value(*instance, "k"));
  // Whoever is told of it has it copied.
  EXPECT_EQ(ErrorCode::kAlreadyExists,
            Run(*instance, Operation::Put("k", "1", storage::Precondition::Absent())).status.error().code());
  EXPECT_EQ("of a crashed instance", Value(*instance, "k"));
}

}  // namespace
}  // namespace holdfast::dual_write
