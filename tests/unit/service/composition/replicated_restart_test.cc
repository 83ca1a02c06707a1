// What a replicated store has after its process was killed, and volumes were lost or come back.
#include "tests/unit/service/composition/replicated_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::composition {
namespace {

using storage::Operation;

TEST_F(ReplicatedTest, AnyTwoOfThreeHaveWhatWasAcknowledged) {
  for (std::size_t missed = 0; missed < kReplicas; ++missed) {
    for (std::size_t lost = 0; lost < kReplicas; ++lost) {
      for (std::size_t i = 0; i < kReplicas; ++i) Renew(i);
      Open();
      EXPECT_EQ("ok", Put("gone", "1"));
      AwaitSame();
      Lose(missed);
      EXPECT_EQ("ok", Put("k", "1"));
      EXPECT_EQ("ok", Delete("gone"));
      store_.reset();
      GiveBack(missed);
      replicas_[lost]->Set(State::kGone);
      Restart();
      EXPECT_EQ("1", Get("k")) << missed << " slept, " << lost << " is lost";
      EXPECT_EQ("not_found", Get("gone"));
      EXPECT_EQ("ok", Put("k", "2"));
      GiveBack(lost);
      AwaitSame();
      for (std::size_t i = 0; i < kReplicas; ++i) EXPECT_EQ("k=2 ", Has(i));
      EXPECT_EQ("", Conflicts());
    }
  }
}

TEST_F(ReplicatedTest, OneOfThreeIsNotEnoughToStartWith) {
  Open();
  EXPECT_EQ("ok", Put("k", "1"));
  store_.reset();
  replicas_[0]->Set(State::kGone);
  replicas_[1]->Set(State::kGone);
  Restart();
  EXPECT_EQ("unavailable", Get("k"));
  EXPECT_EQ("unavailable", Put("k", "2"));
  GiveBack(1);
  EXPECT_TRUE(Eventually([&] { return Get("k") == "1"; }));
}

TEST_F(ReplicatedTest, AnEmptyVolumeIsFilledAndTwoAreNoStore) {
  Open();
  EXPECT_EQ("ok", Put("k", "1"));
  store_.reset();
  Renew(0);
  Open();
  AwaitSame();
  EXPECT_EQ("k=1 ", Has(0));
  EXPECT_EQ("1", Get("k"));
  store_.reset();
  Renew(1);
  Renew(2);
  Restart();
  EXPECT_EQ("unavailable", Get("k")) << "nobody can know whether it has all that was acknowledged";
}

TEST_F(ReplicatedTest, WhatOnlyOneHadIsTakenBackAsAWholeAndKept) {
  Open();
  EXPECT_EQ("ok", Put("a", "1"));
  EXPECT_EQ("ok", Put("b", "1"));
  AwaitSame();
  // Replica 0 alone has the transaction, and then nobody hears of it.
  replicas_[1]->GoneBehind(0);
  replicas_[2]->GoneBehind(0);
  storage::Transaction both;
  both.then = {Operation::Put("a", "2"), Operation::Put("b", "2")};
  EXPECT_EQ("outcome_unknown", CodeOf(store_->Transact(both, Deadline::Infinite()).error()));
  // The others may have been found gone before it was written.
  ASSERT_TRUE(Eventually([&] { return Has(0) == "a=2 b=2 "; })) << Has(0);
  replicas_[0]->Set(State::kGone);
  store_.reset();
  EXPECT_EQ("a=2 b=2 ", (replicas_[0]->Set(State::kThere), Has(0)));
  replicas_[0]->Set(State::kGone);
  for (const std::size_t other : {1, 2}) {
    replicas_[other]->GoneBehind(-1);
    GiveBack(other);
  }
  Restart();
  EXPECT_EQ("1", Get("a"));
  EXPECT_EQ("ok", Put("a", "3"));
  GiveBack(0);
  AwaitSame();
  EXPECT_EQ("a=3 b=1 ", Has(0)) << "half of a transaction came back";
  EXPECT_EQ("1", Get("b"));
  EXPECT_EQ("b=2 ", Conflicts());
}

TEST_F(ReplicatedTest, WhatOneOfThoseSeenHadIsAsGoodAsAcknowledged) {
  Open();
  EXPECT_EQ("ok", Put("k", "1"));
  AwaitSame();
  replicas_[1]->GoneBehind(0);
  replicas_[2]->GoneBehind(0);
  EXPECT_EQ("outcome_unknown", Put("k", "2"));
  store_.reset();
  // Replica 2 may have it too, for all that the other two can know.
  replicas_[1]->GoneBehind(-1);
  GiveBack(1);
  Restart();
  EXPECT_EQ("2", Get("k"));
}

TEST_F(ReplicatedTest, VersionsRiseThoughTheClockIsSetBack) {
  Open();
  const storage::Version first = Run(Operation::Put("k", "1")).version;
  store_.reset();
  clock_.JumpTo(clock_.Now() - std::chrono::hours{24});
  Restart();
  EXPECT_GT(Run(Operation::Put("k", "2")).version, first);
}

TEST_F(ReplicatedTest, AnEventualStoreTakesWhatOneReplicaHasAndKeepsWhatWasLostWithIt) {
  options_.eventual = true;
  options_.write_quorum = options_.read_quorum = 1;
  Open();
  EXPECT_EQ("ok", Put("k", "1"));
  AwaitSame();
  Lose(1);
  Lose(2);
  EXPECT_EQ("ok", Put("k", "2"));
  EXPECT_EQ("2", Get("k"));
  store_.reset();
  // What one alone had is lost with it: the price, which a quorum does not pay.
  replicas_[0]->Set(State::kGone);
  GiveBack(1);
  GiveBack(2);
  Restart();
  EXPECT_TRUE(Eventually([&] { return Get("k") == "1"; }));
  EXPECT_EQ("ok", Put("other", "1"));
  GiveBack(0);
  AwaitSame();
  EXPECT_EQ("k=1 other=1 ", Has(0));
  EXPECT_EQ("k=2 ", Conflicts());
  EXPECT_EQ(1u, store_->status().conflicts);
}

}  // namespace
}  // namespace holdfast::composition
