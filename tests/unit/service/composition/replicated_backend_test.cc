// A replicated store whose replicas come and go while it runs.
#include <atomic>
#include <mutex>

#include "tests/unit/service/composition/replicated_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::composition {
namespace {

using storage::Operation;
using storage::Precondition;

TEST_F(ReplicatedTest, WhatIsAcknowledgedIsOnAllThatAreThere) {
  Open();
  EXPECT_EQ("ok", Put("k", "1"));
  EXPECT_EQ("1", Get("k"));
  AwaitSame();
  for (std::size_t i = 0; i < kReplicas; ++i) EXPECT_EQ("k=1 ", Has(i));
}

TEST_F(ReplicatedTest, ServesWithoutAnyOneAndGivesItBackWhatItMissed) {
  Open();
  for (std::size_t lost = 0; lost < kReplicas; ++lost) {
    Lose(lost);
    EXPECT_EQ("ok", Put("k", std::to_string(lost)));
    EXPECT_EQ("ok", Put("gone", "1"));
    EXPECT_EQ("ok", Delete("gone"));
    EXPECT_EQ(std::to_string(lost), Get("k"));
    EXPECT_EQ(1u, *store_->Count(storage::KeyRange::All(), Deadline::Infinite()));
    GiveBack(lost);
    AwaitSame();
    EXPECT_EQ("k=" + std::to_string(lost) + " ", Has(lost));
  }
  EXPECT_EQ(0u, store_->status().comparisons) << "what it missed waited for it";
  EXPECT_EQ(0u, store_->status().divergences);
}

// However much waits for it, it is given in transactions that it takes.
TEST_F(ReplicatedTest, OneThatMissedAsMuchAsATransactionHoldsComesBack) {
  memory_.limits.max_operations = 16;
  for (std::size_t i = 0; i < kReplicas; ++i) Renew(i);
  Open();
  for (int missed = 1; missed <= 20; ++missed) {
    Lose(1);
    for (int i = 0; i < missed; ++i) ASSERT_EQ("ok", Put("k" + std::to_string(i), std::to_string(missed)));
    GiveBack(1);
    AwaitSame();
    ASSERT_FALSE(HasFatalFailure()) << missed << " writes waited for it: " << store_->status().replicas[1].reason;
    EXPECT_EQ(Has(0), Has(1));
  }
  EXPECT_EQ(0u, store_->status().comparisons);
}

TEST_F(ReplicatedTest, OneThatMissedMoreThanWaitsIsCompared) {
  options_.queue_operations = 5;
  Open();
  for (int i = 0; i < 4; ++i) EXPECT_EQ("ok", Put("old" + std::to_string(i), "1"));
  AwaitSame();
  Lose(1);
  EXPECT_EQ("ok", Delete("old1"));
  for (int i = 0; i < 20; ++i) EXPECT_EQ("ok", Put("k" + std::to_string(i), "1"));
  GiveBack(1);
  AwaitSame();
  EXPECT_GE(store_->status().comparisons, 1u);
  EXPECT_EQ(Has(0), Has(1));
  EXPECT_EQ("not_found", Get("old1"));
  EXPECT_EQ("", Conflicts());
}

TEST_F(ReplicatedTest, WithTooFewNothingIsDoneAndSaid) {
  Open();
  EXPECT_EQ("ok", Put("k", "1"));
  Lose(0);
  Lose(2);
  EXPECT_EQ("unavailable", Put("k", "2"));
  EXPECT_EQ("unavailable", Get("k"));
  EXPECT_EQ("unavailable", CodeOf(store_->CheckHealth(Deadline::Infinite())));
  EXPECT_FALSE(store_->Scan({}, Deadline::Infinite()).ok());
  EXPECT_NE("", store_->status().reason);
  GiveBack(0);
  AwaitUp(2);
  EXPECT_EQ("1", Get("k"));
  EXPECT_EQ("ok", Put("k", "2"));
}

TEST_F(ReplicatedTest, AWriteThatTooFewHaveIsUnknownAndNotShownBeforeTheyHave) {
  Open();
  EXPECT_EQ("ok", Put("k", "1"));
  AwaitSame();
  // Both are lost by this write, which the leader has.
  replicas_[1]->GoneBehind(0);
  replicas_[2]->GoneBehind(0);
  EXPECT_EQ("outcome_unknown", Put("k", "2"));
  EXPECT_EQ("unavailable", Get("k"));
  EXPECT_EQ("unavailable", CodeOf(Run(Operation::Put("k", "3", Precondition::ValueIs("1"))).status));
  EXPECT_EQ(1u, store_->status().in_doubt);
  replicas_[1]->GoneBehind(-1);
  GiveBack(1);
  AwaitUp(2);
  EXPECT_EQ("2", Get("k"));
  EXPECT_EQ("version_conflict", CodeOf(Run(Operation::Put("k", "3", Precondition::ValueIs("1"))).status));
  EXPECT_EQ(0u, store_->status().in_doubt);
}

TEST_F(ReplicatedTest, ALeaderThatHangsHoldsNobodyUpForLong) {
  Open();
  EXPECT_EQ("ok", Put("k", "1"));
  const std::size_t leader = Leader();
  replicas_[leader]->Set(State::kHangs);
  EXPECT_EQ("ok", Put("k", "2"));
  EXPECT_EQ("2", Get("k"));
  EXPECT_EQ(1u, store_->Scan({}, Deadline::Infinite())->entries.size());
  EXPECT_NE(leader, Leader());
  EXPECT_EQ(1u, store_->status().leader_changes);
  GiveBack(leader);
  AwaitSame();
  EXPECT_EQ("k=2 ", Has(leader));
}

TEST_F(ReplicatedTest, IsCopiedWholeBesideWriters) {
  Open();
  for (int i = 0; i < 1'500; ++i) {
    if (i % 300 == 0) AwaitSame();
    ASSERT_EQ("ok", Put("k" + std::to_string(i), "1"));
  }
  options_.queue_operations = 1'000;
  Restart();
  AwaitSame();
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> written{0};
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      EXPECT_EQ("ok", Put("k" + std::to_string(i * 7 % 1'500), "2"));
      EXPECT_EQ("ok", Delete("k" + std::to_string(i * 11 % 1'500)));
      written += 2;
    }
  });
  Lose(2);
  // Not before there was more to wait than may: at first nothing waits because nothing has been written yet.
  const std::size_t enough = written + 2 * options_.queue_operations;
  EXPECT_TRUE(Eventually([&] { return written > enough && store_->status().replicas[2].waiting_batches == 0; }))
      << "its queue overflows";
  GiveBack(2);
  EXPECT_TRUE(Eventually([&] { return Up() == kReplicas; })) << store_->status().replicas[2].reason;
  stop = true;
  writer.join();
  AwaitSame();
  EXPECT_GE(store_->status().comparisons, 1u);
  EXPECT_EQ(Has(0), Has(2));
}

TEST_F(ReplicatedTest, ARowThatOneLostIsFoundByAGetAndMended) {
  Open();
  EXPECT_EQ("ok", Put("k", "1"));
  AwaitSame();
  for (std::size_t i = 0; i < kReplicas; ++i) {
    AwaitSame();  // or what mends one would mend the next
    Tamper(i, "k", nullptr);
    // A get asks two of the three.
    EXPECT_TRUE(Eventually([&] {
      EXPECT_EQ("1", Get("k"));
      return i == 2 || store_->status().divergences == i + 1;
    }));
  }
  EXPECT_EQ("", Conflicts());
}

TEST_F(ReplicatedTest, WhatWasDeletedIsNotBroughtBackByOne) {
  Open();
  EXPECT_EQ("ok", Put("k", "1"));
  AwaitSame();
  const storage::EntryPtr old = EntryAt(1, "k");
  EXPECT_EQ("ok", Delete("k"));
  AwaitSame();
  Tamper(0, "k", old);
  EXPECT_EQ("not_found", Get("k"));
  EXPECT_EQ("", Has(0));
  EXPECT_EQ(1u, store_->status().divergences);
  EXPECT_EQ("k=1 ", Conflicts());
}

TEST_F(ReplicatedTest, ADamagedRowIsMended) {
  Open();
  EXPECT_EQ("ok", Put("k", "1"));
  AwaitSame();
  const Operation damage = Operation::Put(FailoverKey(FailoverRow::kCopy, "k"), "nonsense");
  ASSERT_TRUE(storage::ExecuteOne(*replicas_[0], damage, Deadline::Infinite()).status.ok());
  EXPECT_EQ("1", Get("k"));
  AwaitSame();
  EXPECT_EQ("k=1 ", Has(0));
}

TEST_F(ReplicatedTest, ASecondProcessTakesTheStoreOverAndTheFirstWritesNoMore) {
  Open();
  EXPECT_EQ("ok", Put("k", "1"));
  AwaitSame();
  const auto second = Make();
  EXPECT_TRUE(storage::ExecuteOne(*second, Operation::Put("k", "2"), Deadline::Infinite()).status.ok());
  const std::string told = Put("k", "3");
  EXPECT_TRUE(told == "outcome_unknown" || told == "unavailable") << told;
  EXPECT_EQ("unavailable", Put("k", "4"));
  EXPECT_NE(std::string::npos, store_->status().reason.find("another process")) << store_->status().reason;
  EXPECT_EQ("2", storage::ExecuteOne(*second, Operation::Get("k"), Deadline::Infinite()).entry->value);
  store_.reset();
}

// Notes what is told.
class Told final : public storage::ChangeListener {
 public:
  void OnChange(std::string_view key, const storage::EntryPtr& before, const storage::EntryPtr& after,
                storage::ChangeCause /*cause*/) noexcept override {
    const std::lock_guard lock(mutex_);
    changes_ += std::string(key) + ":" + (before ? before->value : "-") + ">" + (after ? after->value : "-") + " ";
  }
  void OnMissed() noexcept override { ++missed_; }
  std::string changes() {
    const std::lock_guard lock(mutex_);
    return changes_;
  }
  int missed() const { return missed_; }

 private:
  std::mutex mutex_;
  std::string changes_;
  std::atomic<int> missed_{0};
};

TEST_F(ReplicatedTest, EveryChangeIsToldOnceAndInOrderThoughTheLeaderIsLost) {
  const auto told = std::make_shared<Told>();
  listener_ = told;
  Open();
  std::string expected;
  std::string before = "-";
  for (int round = 0; round < 6; ++round) {
    const std::size_t leader = Leader();
    for (int i = 0; i < 10; ++i) {
      if (i == 3) replicas_[leader]->Set(round % 2 == 0 ? State::kGone : State::kHangs);
      const std::string value = std::to_string(round) + "." + std::to_string(i);
      ASSERT_EQ("ok", Put("k", value));
      expected += "k:" + before + ">" + value + " ";
      before = value;
      EXPECT_EQ(expected, told->changes()) << "it was told when the caller was";
    }
    GiveBack(leader);
    AwaitSame();
  }
  EXPECT_EQ(expected, told->changes());
  EXPECT_EQ(6, told->missed()) << "once for each leader that was lost";
}

// As by the loss of a leader that had written what nobody else has.
TEST_F(ReplicatedTest, WhatTooFewHaveIsToldWhenItIsCommitted) {
  const auto told = std::make_shared<Told>();
  listener_ = told;
  Open();
  replicas_[1]->GoneBehind(0);
  replicas_[2]->GoneBehind(0);
  EXPECT_EQ("outcome_unknown", Put("k", "1"));
  EXPECT_EQ("", told->changes());
  GiveBack(1);
  AwaitUp(2);
  EXPECT_EQ("1", Get("k"));
  EXPECT_EQ("k:->1 ", told->changes());
}

TEST_F(ReplicatedTest, AfterCloseNothingIsWritten) {
  Open();
  EXPECT_EQ("ok", CodeOf(store_->Close()));
  EXPECT_EQ("unavailable", Put("k", "1"));
}

}  // namespace
}  // namespace holdfast::composition
