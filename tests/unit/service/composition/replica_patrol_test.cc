// Replicas that somebody has changed behind the store's back, and keys that nobody reads.
#include <atomic>
#include <random>

#include "tests/unit/service/composition/replicated_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::composition {
namespace {

using storage::Entry;
using storage::EntryPtr;
using storage::Operation;

class ReplicaPatrolTest : public ReplicatedTest {
 protected:
  // What the replica has, with another value under the same version.
  void Damage(std::size_t replica, const std::string& key, const std::string& value) {
    Entry changed = *EntryAt(replica, key);
    changed.value = value;
    Tamper(replica, key, std::make_shared<const Entry>(std::move(changed)));
  }
  storage::ReplicaComparisonStatus Compared() {
    store_->CompareNow();
    return store_->status().compare;
  }
};

TEST_F(ReplicaPatrolTest, WhatNobodyReadsIsFoundAndMended) {
  Open();
  for (const char* key : {"a", "b", "c", "d"}) ASSERT_EQ("ok", Put(key, "1"));
  AwaitSame();
  const EntryPtr old = EntryAt(0, "d");
  Damage(1, "a", "x");
  Tamper(2, "b", nullptr);
  Tamper(Leader(), "c", nullptr);
  const std::string damaged = Has(1);
  // The control: by itself nothing finds it. Gets compare versions, and those of `a` are the same.
  EXPECT_EQ("1", Get("d"));
  EXPECT_EQ(damaged, Has(1));
  EXPECT_EQ(0u, store_->status().divergences);

  const storage::ReplicaComparisonStatus first = Compared();
  EXPECT_EQ(1u, first.rounds) << first.reason;
  EXPECT_EQ(3u, first.mended);
  EXPECT_EQ(0u, first.undecided);
  EXPECT_GE(first.keys, 4u);
  AwaitSame();
  for (std::size_t i = 0; i < kReplicas; ++i) EXPECT_EQ("a=1 b=1 c=1 d=1 ", Has(i)) << i;
  EXPECT_EQ(3u, store_->status().divergences);
  EXPECT_EQ("a=x ", Conflicts()) << "what it had is kept";

  EXPECT_EQ(3u, Compared().mended) << "nothing is left to mend";
}

TEST_F(ReplicaPatrolTest, ADeletedKeyDoesNotComeBack) {
  Open();
  ASSERT_EQ("ok", Put("k", "1"));
  AwaitSame();
  const EntryPtr deleted = EntryAt(0, "k");
  ASSERT_EQ("ok", Delete("k"));
  AwaitSame();
  Tamper(Leader(), "k", deleted);
  EXPECT_EQ(1u, Compared().mended);
  AwaitSame();
  for (std::size_t i = 0; i < kReplicas; ++i) EXPECT_EQ("", Has(i)) << i;

  // Of two nobody knows whether it was lost here or deleted there.
  Lose(2);
  Tamper(0, "k", deleted);
  const storage::ReplicaComparisonStatus left = Compared();
  EXPECT_EQ(1u, left.undecided);
  EXPECT_EQ(1u, left.mended);
  EXPECT_EQ(1u, left.unfinished) << "a replica is away";
  EXPECT_NE("", left.reason);
  EXPECT_EQ("k=1 ", Has(0));
  EXPECT_EQ("", Has(1));
  GiveBack(2);
  AwaitSame();
  const storage::ReplicaComparisonStatus decided = Compared();
  EXPECT_EQ(0u, decided.undecided);
  EXPECT_EQ(2u, decided.mended);
  EXPECT_EQ("not_found", Get("k"));
}

TEST_F(ReplicaPatrolTest, OfTwoThatHaveTheKeyTheNewestVersionStands) {
  Open();
  ASSERT_EQ("ok", Put("k", "1"));
  AwaitSame();
  const EntryPtr earlier = EntryAt(0, "k");
  ASSERT_EQ("ok", Put("k", "2"));
  AwaitSame();
  Lose(2);
  Tamper(Leader(), "k", earlier);
  EXPECT_EQ(1u, Compared().mended);
  ASSERT_TRUE(Eventually([&] { return Has(0) == "k=2 " && Has(1) == "k=2 "; })) << Has(0) << Has(1);
  // Of one version nobody knows what was written.
  Damage(1, "k", "x");
  EXPECT_EQ(1u, Compared().undecided);
  EXPECT_EQ("k=x ", Has(1));
}

TEST_F(ReplicaPatrolTest, WritersAreNoDifference) {
  Open();
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 0; !done; ++i) {
      const std::string key = "k" + std::to_string(i % 40);
      if (i % 3 == 0) {
        static_cast<void>(Delete(key));
      } else {
        EXPECT_EQ("ok", Put(key, std::to_string(i)));
      }
    }
  });
  const bool compared = Eventually([&] { return Compared().rounds >= 30; });
  done = true;
  writer.join();
  EXPECT_TRUE(compared) << store_->status().compare.reason;
  EXPECT_EQ(0u, store_->status().compare.mended);
  EXPECT_EQ(0u, store_->status().compare.undecided);
  EXPECT_EQ(0u, store_->status().divergences);
}

TEST_F(ReplicaPatrolTest, TwoProcessesAtOnceDoNoHarm) {
  Open();
  for (int i = 0; i < 100; ++i) ASSERT_EQ("ok", Put("k" + std::to_string(i), "1"));
  AwaitSame();
  const std::string all = Has(0);
  const std::shared_ptr<ReplicatedBackend> former = store_;
  store_ = Make();  // takes over, as a second process does that can open the volumes
  AwaitSame();
  for (int i = 0; i < 100; i += 7) Damage(static_cast<std::size_t>(i) % kReplicas, "k" + std::to_string(i), "x");
  std::thread other([&] {
    for (int i = 0; i < 3; ++i) former->CompareNow();
  });
  for (int i = 0; i < 3; ++i) store_->CompareNow();
  other.join();
  AwaitSame();
  EXPECT_EQ(15u, Compared().mended);
  for (std::size_t i = 0; i < kReplicas; ++i) EXPECT_EQ(all, Has(i)) << i;
  EXPECT_EQ("ok", Put("k0", "2"));
  former->Stop();
}

TEST_F(ReplicaPatrolTest, ComesByItselfWhereItIsAskedForAndTellsWhatItFound) {
  Open();
  ASSERT_EQ("ok", Put("k", "1"));
  AwaitSame();
  EXPECT_FALSE(store_->status().compare.enabled);
  std::atomic<std::uint64_t> told{0};
  options_.compare_interval = std::chrono::milliseconds{2};
  options_.on_compared = [&](std::uint64_t mended, const storage::ReplicaComparisonStatus&) { told += mended; };
  Open();
  const std::size_t damaged = (Leader() + 1) % kReplicas;
  Damage(damaged, "k", "x");
  EXPECT_TRUE(Eventually([&] { return told == 1; }));
  EXPECT_TRUE(store_->status().compare.enabled);
  AwaitSame();
  EXPECT_EQ("k=1 ", Has(damaged));
}

TEST_F(ReplicaPatrolTest, ReadsNoMoreRowsASecondThanItMay) {
  Open();
  for (int i = 0; i < 600; ++i) {
    if (i % 300 == 0) AwaitSame();
    ASSERT_EQ("ok", Put("k" + std::to_string(i), "1"));
  }
  AwaitSame();
  options_.compare_rate = 5'000;
  Restart();
  AwaitSame();
  // Two replicas, a full page of each and what is behind it: a tenth of a second for each full page.
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(1u, Compared().rounds);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds{200});
}

}  // namespace
}  // namespace holdfast::composition
