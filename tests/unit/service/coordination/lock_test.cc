#include "service/coordination/lock.h"

#include <set>

#include "tests/unit/service/coordination/coordination_fixture.h"
#include "tests/unit/service/coordination/five_masters.h"

namespace holdfast::coordination {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using storage::Operation;
using storage::Precondition;

constexpr const char* kQuorum = "redlock";

class LockTest : public CoordinationTest {
 protected:
  void SetUp() override {
    CoordinationTest::SetUp();
    locks_ = MakeRowLocks(clock());
    if (!OnQuorum()) return;
    masters_.emplace(clock());
    locks_ = masters_->Make({});
  }
  bool OnQuorum() const { return GetParam().name == kQuorum; }
  Locks& locks() { return *locks_; }
  void Restart() {
    CoordinationTest::Restart();
    if (!OnQuorum()) locks_ = MakeRowLocks(clock());  // the clock may be another one
  }
  // A quorum grants for less than the TTL: the time it took, and a margin.
  void ExpectExpiry(Timestamp actual, Timestamp exact) const {
    const auto missing = exact - actual;
    EXPECT_GE(missing, seconds{0});
    EXPECT_LE(missing, OnQuorum() ? seconds{20} : seconds{0});
  }

  std::variant<Grant, Holder> Acquire(const std::string& name, const std::string& owner,
                                      std::chrono::microseconds ttl = seconds{30}) {
    auto result = locks().TryAcquire(tenant(), name, owner, NewLease(), ttl, Deadline::Infinite());
    if (!result.ok()) {
      ADD_FAILURE() << result.error().ToString();
      return Holder{};
    }
    return *result;
  }
  Grant MustAcquire(const std::string& name, const std::string& owner, std::chrono::microseconds ttl = seconds{30}) {
    const auto result = Acquire(name, owner, ttl);
    if (const auto* grant = std::get_if<Grant>(&result)) return *grant;
    ADD_FAILURE() << name << " is held by " << std::get<Holder>(result).owner;
    return {};
  }
  bool Extended(const std::string& name, const Lease& lease, std::chrono::microseconds ttl) {
    const auto result = locks().Extend(tenant(), name, lease, ttl, Deadline::Infinite());
    return result.ok() && result->has_value();
  }
  bool Released(const std::string& name, const Lease& lease) {
    const auto result = locks().Release(tenant(), name, lease, Deadline::Infinite());
    return result.ok() && *result;
  }
  std::optional<Holder> HolderOf(const std::string& name) {
    auto result = locks().FindHolder(tenant(), name, Deadline::Infinite());
    return result.ok() ? *result : std::nullopt;
  }
  // A write that the lock guards, as Holdfast-Fence makes it.
  bool FencedWrite(const std::string& lock, std::uint64_t token, const std::string& value) {
    std::string key(1, static_cast<char>(storage::Room::kKeys));
    key.append("register");
    storage::Transaction transaction;
    transaction.conditions.push_back({FenceKey(lock), Precondition::NotFenced(token)});
    transaction.then.push_back(Operation::Put(key, value));
    const auto result = rooms().Transact(transaction, Deadline::Infinite());
    return result.ok() && result->conditions_held && result->applied;
  }
  std::string Register() {
    const auto read = storage::ExecuteOne(keys(), Operation::Get("register"), Deadline::Infinite());
    return read.status.ok() ? read.entry->value : "";
  }

 private:
  std::optional<FiveMasters> masters_;
  std::shared_ptr<Locks> locks_;
};

// Of locks in the store's own backend.
class RowLockTest : public LockTest {};

TEST_P(LockTest, OneHolderAtATime) {
  const Grant first = MustAcquire("a", "first");
  ExpectExpiry(first.expires_at, clock().Now() + seconds{30});
  const auto second = Acquire("a", "second");
  ASSERT_TRUE(std::holds_alternative<Holder>(second));
  EXPECT_EQ(std::get<Holder>(second).owner, "first");
  EXPECT_EQ(std::get<Holder>(second).token, first.token);
  ExpectExpiry(first.expires_at, std::get<Holder>(second).expires_at);
  MustAcquire("b", "second");
}

TEST_P(LockTest, IsNotReentrant) {
  MustAcquire("a", "me");
  EXPECT_TRUE(std::holds_alternative<Holder>(Acquire("a", "me")));
}

// Whoever lost the answer asks again.
TEST_P(LockTest, ASecondAttemptOfTheSameLeaseFindsTheGrantOfTheFirst) {
  const Lease lease = NewLease();
  const auto attempt = [&] {
    const auto result = locks().TryAcquire(tenant(), "a", "me", lease, seconds{30}, Deadline::Infinite());
    return result.ok() && std::holds_alternative<Grant>(*result) ? std::get<Grant>(*result) : Grant{};
  };
  const Grant first = attempt();
  ASSERT_EQ(first.lease, lease);
  clock().Advance(seconds{10});
  const Grant again = attempt();
  EXPECT_EQ(again.lease, lease);
  EXPECT_EQ(again.token, first.token);
  // A lock is not extended by asking.
  ExpectExpiry(again.expires_at, clock().Now() + seconds{20});
  ASSERT_TRUE(Released("a", lease));
  EXPECT_GT(attempt().token, first.token);
}

TEST_P(LockTest, TellsWhoHoldsIt) {
  EXPECT_EQ(HolderOf("a"), std::nullopt);
  const std::string owner("any\nbytes\0\xff", 11);
  const Grant grant = MustAcquire("a", owner);
  ASSERT_TRUE(HolderOf("a").has_value());
  EXPECT_EQ(HolderOf("a")->owner, owner);
  EXPECT_TRUE(Released("a", grant.lease));
  EXPECT_EQ(HolderOf("a"), std::nullopt);
}

TEST_P(LockTest, NamesAreAnyBytes) {
  const std::string name("\0/..\xff\n", 6);
  const Grant grant = MustAcquire(name, "me");
  EXPECT_EQ(HolderOf(std::string("\0/..\xff", 5)), std::nullopt);
  EXPECT_TRUE(Released(name, grant.lease));
}

TEST_P(LockTest, OnlyItsLeaseExtendsAndReleases) {
  const Grant grant = MustAcquire("a", "me");
  EXPECT_FALSE(Extended("a", NewLease(), seconds{60}));
  EXPECT_FALSE(Released("a", NewLease()));
  EXPECT_FALSE(Released("b", grant.lease));
  clock().Advance(seconds{10});
  EXPECT_TRUE(Extended("a", grant.lease, seconds{60}));
  ExpectExpiry(HolderOf("a")->expires_at, clock().Now() + seconds{60});
  EXPECT_EQ(HolderOf("a")->token, grant.token);
  EXPECT_TRUE(Released("a", grant.lease));
  EXPECT_FALSE(Released("a", grant.lease));
  EXPECT_FALSE(Extended("a", grant.lease, seconds{60}));
}

TEST_P(LockTest, ExpiresByTheBackendsClock) {
  const Grant first = MustAcquire("a", "first", seconds{5});
  clock().Advance(seconds{5} - std::chrono::microseconds{1});
  EXPECT_TRUE(std::holds_alternative<Holder>(Acquire("a", "second")));
  clock().Advance(std::chrono::microseconds{1});
  EXPECT_EQ(HolderOf("a"), std::nullopt);
  EXPECT_FALSE(Extended("a", first.lease, seconds{5}));
  const Grant second = MustAcquire("a", "second");
  EXPECT_GT(second.token, first.token);
  EXPECT_FALSE(Released("a", first.lease));
  EXPECT_EQ(HolderOf("a")->owner, "second");
}

TEST_P(LockTest, TokensRiseAcrossReleaseExpiryAndRestart) {
  std::uint64_t last = 0;
  std::set<Lease> leases;
  for (int round = 0; round < 40; ++round) {
    const Grant grant = MustAcquire("a", "me", seconds{5});
    EXPECT_GT(grant.token, last) << "round " << round;
    last = grant.token;
    EXPECT_TRUE(leases.insert(grant.lease).second);
    if (round % 4 == 3) {
      Restart();  // of a memory backend nothing is left but the clock, which moves on
      clock().Advance(seconds{5});
    } else if (round % 2 == 0) {
      EXPECT_TRUE(Released("a", grant.lease));
    } else {
      clock().Advance(seconds{5});
    }
  }
}

// FAULTS S16: the wall clock jumps; the fence row keeps the token rising, and the token keeps the old holder out.
TEST_P(LockTest, S16TokensRiseWhenTheClockIsSetBack) {
  const Grant first = MustAcquire("a", "first", seconds{5});
  clock().JumpTo(clock().Now() + hours{1});
  const Grant second = MustAcquire("a", "second", seconds{5});
  EXPECT_GT(second.token, first.token);
  EXPECT_TRUE(Released("a", second.lease));
  clock().JumpTo(clock().Now() - hours{2});
  const Grant third = MustAcquire("a", "third", seconds{5});
  EXPECT_GT(third.token, second.token);
  EXPECT_FALSE(FencedWrite("a", first.token, "late"));
  EXPECT_FALSE(FencedWrite("a", second.token, "late"));
  EXPECT_TRUE(FencedWrite("a", third.token, "third"));
}

// FAULTS S17: a holder that was stopped beyond its TTL writes; the new holder is not affected.
TEST_P(LockTest, S17AStoppedHolderIsFencedOff) {
  const Grant stopped = MustAcquire("a", "stopped", seconds{5});
  EXPECT_TRUE(FencedWrite("a", stopped.token, "before the stop"));
  clock().Advance(seconds{6});
  EXPECT_TRUE(FencedWrite("a", stopped.token, "nobody else has it yet"));
  const Grant heir = MustAcquire("a", "heir");
  EXPECT_FALSE(FencedWrite("a", stopped.token, "awake again"));
  EXPECT_EQ(Register(), "nobody else has it yet");
  EXPECT_TRUE(FencedWrite("a", heir.token, "heir"));
  EXPECT_FALSE(FencedWrite("a", stopped.token, "and again"));
  EXPECT_EQ(Register(), "heir");
  EXPECT_FALSE(Extended("a", stopped.lease, seconds{5}));
  EXPECT_FALSE(Released("a", stopped.lease));
  EXPECT_EQ(HolderOf("a")->owner, "heir");
}

TEST_P(LockTest, TokensAreWithinATenant) {
  const Grant grant = MustAcquire("a", "me");
  const auto other = locks().FindHolder(tenant("other"), "a", Deadline::Infinite());
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(*other, std::nullopt);
  EXPECT_TRUE(Released("a", grant.lease));
}

TEST_P(RowLockTest, DamagedRowsAreReportedAndNotOverwritten) {
  const Grant grant = MustAcquire("a", "me");
  EXPECT_TRUE(Released("a", grant.lease));
  ASSERT_TRUE(
      storage::ExecuteOne(rooms(), Operation::Put(FenceKey("a"), "no number"), Deadline::Infinite()).status.ok());
  const auto fence = locks().TryAcquire(tenant(), "a", "me", NewLease(), seconds{5}, Deadline::Infinite());
  ASSERT_FALSE(fence.ok());
  EXPECT_EQ(fence.error().code(), ErrorCode::kCorruption);
  ASSERT_TRUE(storage::ExecuteOne(rooms(), Operation::Put(LockKey("a"), "no row"), Deadline::Infinite()).status.ok());
  const auto row = locks().FindHolder(tenant(), "a", Deadline::Infinite());
  ASSERT_FALSE(row.ok());
  EXPECT_EQ(row.error().code(), ErrorCode::kCorruption);
}

// The store on RocksDB, its locks on five Redis servers.
storage::conformance::BackendUnderTest QuorumUnderTest() {
  auto under_test = storage::conformance::RelaxedRocksDbUnderTest();
  under_test.name = kQuorum;
  return under_test;
}

INSTANTIATE_TEST_SUITE_P(Backends, LockTest, OnEveryBackend(), BackendName);
INSTANTIATE_TEST_SUITE_P(Quorum, LockTest, testing::Values(QuorumUnderTest()), BackendName);
INSTANTIATE_TEST_SUITE_P(Backends, RowLockTest, OnEveryBackend(), BackendName);

TEST(LockRowTest, IsWrittenAsPublished) {
  const LockRow row{"9f86d081884c7d659a2feaa0c55ad015", "me", 1'795'240'000'123'456};
  EXPECT_EQ(row.Encode(), "1\n9f86d081884c7d659a2feaa0c55ad015\n1795240000123456\nme");
  EXPECT_EQ(LockKey("a"), "la");
  EXPECT_EQ(FenceKey("a"), "fa");
}

TEST(LockRowTest, ReadsBackWhatItWrites) {
  const LockRow row{NewLease(), std::string("a\nb\0", 4), 1'700'000'000'000'001};
  const auto read = LockRow::Decode(row.Encode());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->lease, row.lease);
  EXPECT_EQ(read->owner, row.owner);
  EXPECT_EQ(read->token, row.token);
  for (const std::string_view bad : {"", "1", "1\n2\n3\n4", "2\n00112233445566778899aabbccddeeff\n7\nme",
                                     "1\n00112233445566778899aabbccddeeff\n-7\nme",
                                     "1\n00112233445566778899aabbccddeeff\n99999999999999999999\nme"}) {
    EXPECT_EQ(LockRow::Decode(bad).has_value(), false) << bad;
  }
}

}  // namespace
}  // namespace holdfast::coordination
