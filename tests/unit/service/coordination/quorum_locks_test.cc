// Locks on five real Redis servers, of which some are killed, stopped, or come back without their data. Each case that
// says that a lock was not granted twice has a control in which it is.
#include "service/coordination/quorum_locks.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "tests/unit/service/coordination/coordination_fixture.h"
#include "tests/unit/service/coordination/five_masters.h"
#include "tests/unit/service/coordination/lock_history.h"
#include "tests/waiting/eventually.h"

namespace holdfast::coordination {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

class QuorumLocksTest : public CoordinationTest {
 protected:
  void SetUp() override {
    CoordinationTest::SetUp();
    masters_.emplace(clock());
  }
  FiveMasters& masters() { return *masters_; }

  // "granted", "held by OWNER", or the error.
  std::string Try(Locks& locks, const std::string& owner, const Lease& lease,
                  std::chrono::microseconds ttl = minutes{1}) {
    const auto result = locks.TryAcquire(tenant(), "a", owner, lease, ttl, Deadline::After(seconds{20}));
    if (!result.ok()) return result.error().ToString();
    const auto* const holder = std::get_if<Holder>(&*result);
    if (holder != nullptr) return "held by " + holder->owner;
    tokens_.push_back(std::get<Grant>(*result).token);
    return "granted";
  }
  std::string Try(Locks& locks, const std::string& owner) { return Try(locks, owner, NewLease()); }
  // Founds the quorum, which takes all five.
  void Found(Locks& locks) {
    const Lease lease = NewLease();
    ASSERT_EQ(Try(locks, "founder", lease), "granted");
    ASSERT_TRUE(*locks.Release(tenant(), "a", lease, Deadline::After(seconds{20})));
  }
  // Of the grants so far, in their order.
  void ExpectRisingTokens() const { EXPECT_TRUE(std::is_sorted(tokens_.begin(), tokens_.end(), std::less_equal<>())); }

  // What a second instance is told that reaches only those servers which the first one does not.
  std::string SecondOwnerElsewhere(std::size_t quorum);
  // What is answered `within` when a server that granted comes back without its data; `max_ttl` is for how long it
  // rests.
  std::string SecondOwnerAfterTheLoss(std::chrono::microseconds max_ttl, seconds within);

 private:
  std::optional<FiveMasters> masters_;
  std::vector<std::uint64_t> tokens_;
};

TEST_P(QuorumLocksTest, redlock_fault_TwoKilledLocksGoOnThreeKilledNoneIsGranted) {
  const auto locks = masters().Make({});
  Found(*locks);
  const Lease lease = NewLease();
  ASSERT_EQ(Try(*locks, "one", lease), "granted");
  masters().server(0).Kill();
  masters().server(3).Kill();
  EXPECT_EQ(Try(*locks, "two"), "held by one");
  const auto extended = locks->Extend(tenant(), "a", lease, minutes{2}, Deadline::After(seconds{20}));
  ASSERT_TRUE(extended.ok() && *extended) << extended.error().ToString();
  EXPECT_EQ((*locks->FindHolder(tenant(), "a", Deadline::After(seconds{20})))->owner, "one");
  EXPECT_FALSE(*locks->Release(tenant(), "a", NewLease(), Deadline::After(seconds{20})));
  EXPECT_TRUE(*locks->Release(tenant(), "a", lease, Deadline::After(seconds{20})));
  const Lease second = NewLease();
  EXPECT_EQ(Try(*locks, "two", second), "granted");
  ExpectRisingTokens();

  masters().server(4).Kill();
  EXPECT_THAT(Try(*locks, "three"), HasSubstr("2 of the 5 servers that keep the locks of this store answered"));
  EXPECT_EQ(locks->Release(tenant(), "a", second, Deadline::After(seconds{20})).error().code(),
            ErrorCode::kUnavailable);
  // They come back with what they had.
  for (const std::size_t i : {0, 3, 4}) ASSERT_TRUE(masters().server(i).StartAgain().ok());
  EXPECT_TRUE(Eventually([&] { return Try(*locks, "three") == "held by two"; }));
  EXPECT_TRUE(*locks->Release(tenant(), "a", second, Deadline::After(seconds{20})));
  EXPECT_EQ(Try(*locks, "three"), "granted");
  ExpectRisingTokens();
}

TEST_P(QuorumLocksTest, redlock_fault_TwoFrozenCostNoMoreThanTheirTimeouts) {
  QuorumOptions options;
  options.master_timeout = std::chrono::milliseconds{500};
  const auto locks = masters().Make(options);
  Found(*locks);
  masters().server(1).Freeze();
  masters().server(2).Freeze();
  const Lease lease = NewLease();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(Try(*locks, "one", lease), "granted");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds{30});  // else it is a minute
  EXPECT_EQ(Try(*locks, "two"), "held by one");
  EXPECT_TRUE(*locks->Release(tenant(), "a", lease, Deadline::After(seconds{20})));
  EXPECT_EQ(Try(*locks, "two"), "granted");
  masters().server(1).Thaw();
  masters().server(2).Thaw();
  EXPECT_EQ(Try(*locks, "three"), "held by two");
  ExpectRisingTokens();
}

std::string QuorumLocksTest::SecondOwnerElsewhere(std::size_t quorum) {
  Found(*masters().Make({}));
  QuorumOptions options;
  options.quorum = quorum;
  for (const std::size_t i : {2, 3, 4}) masters().server(i).Kill();
  const std::string first = Try(*masters().Make(options), "one");
  EXPECT_EQ(first == "granted", quorum == 1) << first;
  for (const std::size_t i : {2, 3, 4}) EXPECT_TRUE(masters().server(i).StartAgain().ok());
  for (const std::size_t i : {0, 1, 2}) masters().server(i).Kill();
  return first + ", " + Try(*masters().Make(options), "two");
}

TEST_P(QuorumLocksTest, redlock_fault_ThreeKilledOnEitherSideNobodyIsGrantedTheLock) {
  EXPECT_THAT(SecondOwnerElsewhere(0), testing::Not(HasSubstr("granted")));
}

TEST_P(QuorumLocksTest, redlock_PositiveControlWithAQuorumOfOneTheLockIsGrantedTwice) {
  EXPECT_EQ(SecondOwnerElsewhere(1), "granted, granted");
}

std::string QuorumLocksTest::SecondOwnerAfterTheLoss(std::chrono::microseconds max_ttl, seconds within) {
  QuorumOptions options;
  options.max_ttl = max_ttl;
  Found(*masters().Make(options));
  // Exactly 0, 1 and 2 know of the first owner.
  for (const std::size_t i : {3, 4}) masters().server(i).Kill();
  EXPECT_EQ(Try(*masters().Make(options), "one"), "granted");
  for (const std::size_t i : {3, 4}) EXPECT_TRUE(masters().server(i).StartAgain().ok());
  masters().server(2).Kill();
  EXPECT_TRUE(masters().server(2).EmptyData().ok());
  EXPECT_TRUE(masters().server(2).StartAgain().ok());
  // No instance lives that had heard of it. One more look than a founding takes, so that 2 has joined anew.
  const auto locks = masters().Make(options);
  std::string answer;
  const Deadline patience = Deadline::After(within);
  while (answer != "granted" && !patience.Expired()) {
    clock().Advance(std::chrono::milliseconds{10});  // a server's rest goes by it
    answer = Try(*locks, "two");
  }
  return answer;
}

TEST_P(QuorumLocksTest, redlock_fault_AServerWithoutItsDataGrantsNothingUntilWhatItForgotHasExpired) {
  EXPECT_NE(SecondOwnerAfterTheLoss(minutes{5}, seconds{4}), "granted");
  const auto locks = masters().Make({});
  clock().Advance(minutes{1});
  // The lock has expired; two servers are enough together with a third that has rested or kept its data.
  EXPECT_TRUE(Eventually([&] { return Try(*locks, "two") == "granted"; }));
  ExpectRisingTokens();
  EXPECT_EQ(masters().server(2).Cli({"EVAL", "return #redis.call('KEYS', '*lock-quorum/rest')", "0"}).value(), "1");
}

TEST_P(QuorumLocksTest, redlock_PositiveControlAServerThatDoesNotRestGrantsTheLockAgain) {
  EXPECT_EQ(SecondOwnerAfterTheLoss(std::chrono::microseconds{1}, seconds{60}), "granted");
}

TEST_P(QuorumLocksTest, redlock_TokensRiseOverTheLossOfAllServersAndAClockThatIsSetBack) {
  {
    const auto locks = masters().Make({});
    clock().JumpTo(clock().Now() + std::chrono::hours{1});
    Found(*locks);
  }
  for (std::size_t i = 0; i < FiveMasters::kCount; ++i) {
    masters().server(i).Kill();
    ASSERT_TRUE(masters().server(i).EmptyData().ok());
    ASSERT_TRUE(masters().server(i).StartAgain().ok());
  }
  clock().JumpTo(clock().Now() - std::chrono::hours{2});
  EXPECT_EQ(Try(*masters().Make({}), "two"), "granted");
  ExpectRisingTokens();
}

TEST_P(QuorumLocksTest, redlock_TheFirstLockNeedsAllServersAndAnotherNumberOfThemIsRefused) {
  masters().server(4).Kill();
  const auto locks = masters().Make({});
  EXPECT_THAT(Try(*locks, "one"), HasSubstr("the first lock needs all of them"));
  ASSERT_TRUE(masters().server(4).StartAgain().ok());
  EXPECT_TRUE(Eventually([&] { return Try(*locks, "one") == "granted"; }));
  const auto three = masters().Make({}, 3);
  EXPECT_THAT(Try(*three, "two"), HasSubstr("another number of servers"));
}

TEST_P(QuorumLocksTest, redlock_ATtlThatIsOverBeforeItIsWonIsNoGrant) {
  const auto locks = masters().Make({});
  Found(*locks);
  QuorumOptions slow;
  slow.drift = seconds{2};
  const auto result =
      masters().Make(slow)->TryAcquire(tenant(), "a", "one", NewLease(), seconds{1}, Deadline::After(minutes{1}));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kUnavailable) << result.error().ToString();
  // Nothing of it is left.
  EXPECT_EQ(Try(*locks, "two"), "granted");
}

// Waits until so many further tenures have ended; false after half a minute.
using AwaitTenures = std::function<bool(std::size_t more)>;

// Four who ask for the same lock without pause, over two instances, meanwhile.
History Contend(FiveMasters& masters, const storage::TenantView& tenant, const QuorumOptions& options,
                const std::function<void(const AwaitTenures&)>& meanwhile) {
  const std::vector<std::shared_ptr<Locks>> instances{masters.Make(options), masters.Make(options)};
  std::atomic<std::uint64_t> now{0};
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> ended{0};
  std::vector<History> parts(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    threads.emplace_back([&, i] {
      Locks& locks = *instances[i % 2];
      while (!stop) {
        Tenure tenure;
        const Lease lease = NewLease();
        tenure.acquire.begin = ++now;
        const auto result =
            locks.TryAcquire(tenant, "a", "me", lease, std::chrono::hours{1}, Deadline::After(seconds{5}));
        tenure.acquire.end = ++now;
        if (result.ok() && std::holds_alternative<Holder>(*result)) continue;
        if (!result.ok()) {
          // As LockService does with a lease that nobody knows of.
          while (!locks.Release(tenant, "a", lease, Deadline::After(seconds{5})).ok()) {
          }
          continue;
        }
        tenure.token = std::get<Grant>(*result).token;
        std::this_thread::yield();
        tenure.release.begin = ++now;
        // Until it is known: what may still be held holds everybody up.
        while (!locks.Release(tenant, "a", lease, Deadline::After(seconds{5})).ok()) {
        }
        tenure.release.end = ++now;
        parts[i].tenures.push_back(tenure);
        ++ended;
      }
    });
  }
  meanwhile([&](std::size_t more) {
    const std::size_t goal = ended + more;
    const Deadline patience = Deadline::After(seconds{30});
    while (ended < goal && !patience.Expired()) std::this_thread::sleep_for(std::chrono::milliseconds{5});
    return ended >= goal;
  });
  stop = true;
  for (std::thread& thread : threads) thread.join();
  History all;
  for (const History& part : parts) all.tenures.insert(all.tenures.end(), part.tenures.begin(), part.tenures.end());
  return all;
}

TEST_P(QuorumLocksTest, redlock_fault_UnderContentionAndFaultsNoTwoHoldItAtOnceAndTokensFollowTheirOrder) {
  Found(*masters().Make({}));
  QuorumOptions options;
  options.master_timeout = std::chrono::milliseconds{100};
  const History history = Contend(masters(), tenant(), options, [&](const AwaitTenures& await_tenures) {
    for (std::size_t i = 0; i < FiveMasters::kCount; ++i) {
      redis_servers::RedisServer& killed = masters().server(i);
      redis_servers::RedisServer& frozen = masters().server((i + 1) % FiveMasters::kCount);
      killed.Kill();
      frozen.Freeze();
      EXPECT_TRUE(await_tenures(2)) << i;
      frozen.Thaw();
      ASSERT_TRUE(killed.StartAgain().ok());
      // Rows that were not released there are found and removed.
      EXPECT_TRUE(await_tenures(4)) << i;
    }
  });
  EXPECT_EQ(FindFault(history), "");
  std::cout << history.tenures.size() << " tenures\n";
}

TEST_P(QuorumLocksTest, redlock_PositiveControlUnderContentionAQuorumOfOneIsFoundOut) {
  Found(*masters().Make({}));
  QuorumOptions broken;
  broken.quorum = 1;
  std::string fault;
  for (int round = 0; round < 20 && fault.empty(); ++round) {
    fault = FindFault(Contend(masters(), tenant(), broken,
                              [](const AwaitTenures& await_tenures) { EXPECT_TRUE(await_tenures(20)); }));
  }
  EXPECT_NE(fault, "");
}

// What the locks guard is kept in the store's own backend, whose tokens and rows are recorded there.
INSTANTIATE_TEST_SUITE_P(Store, QuorumLocksTest, testing::Values(storage::conformance::RelaxedRocksDbUnderTest()),
                         BackendName);

}  // namespace
}  // namespace holdfast::coordination
