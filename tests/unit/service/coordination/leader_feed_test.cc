#include "service/coordination/leader_feed.h"

#include "tests/unit/service/coordination/coordination_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::coordination {
namespace {

using std::chrono::seconds;

class LeaderFeedTest : public CoordinationTest {
 protected:
  void SetUp() override {
    CoordinationTest::SetUp();
    Listen(feed_);
  }
  std::unique_ptr<LeaderSubscription> Observe(std::function<void()> wake = [] {}) {
    return feed_->Subscribe(tenant().space.Wrap(LockKey("a")), std::move(wake));
  }
  Grant Lead(const std::string& owner, std::chrono::microseconds ttl = seconds{30}) {
    const auto result = TryAcquire(rooms(), "a", owner, NewLease(), ttl, clock(), Deadline::Infinite());
    if (result.ok() && std::holds_alternative<Grant>(*result)) return std::get<Grant>(*result);
    ADD_FAILURE() << owner << " does not lead";
    return {};
  }
  void Resign(const Grant& grant) { EXPECT_TRUE(*Release(rooms(), "a", grant.lease, Deadline::Infinite())); }
  // "-" nothing new, "" nobody
  static std::string Read(LeaderSubscription& observer) {
    const auto news = observer.Read();
    if (!news) return "-";
    return news->leader ? news->leader->owner : "";
  }

  const std::shared_ptr<LeaderFeed> feed_ = std::make_shared<LeaderFeed>();
};

TEST_P(LeaderFeedTest, TellsTheLeaderAndItsChanges) {
  const Grant first = Lead("first");
  int wakes = 0;
  const auto observer = Observe([&] { ++wakes; });
  EXPECT_EQ(Read(*observer), "-");
  observer->Begin(*FindHolder(rooms(), "a", Deadline::Infinite()));
  EXPECT_EQ(Read(*observer), "first");
  EXPECT_EQ(Read(*observer), "-");
  Resign(first);
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(Read(*observer), "");
  Lead("second");
  EXPECT_EQ(Read(*observer), "second");
}

TEST_P(LeaderFeedTest, BeginsWithNobody) {
  const auto observer = Observe();
  observer->Begin(std::nullopt);
  EXPECT_EQ(Read(*observer), "");
}

TEST_P(LeaderFeedTest, WhatWasHeardIsNewerThanWhatWasRead) {
  const auto observer = Observe();
  Lead("first");
  observer->Begin(std::nullopt);  // read before the change
  EXPECT_EQ(Read(*observer), "first");
}

TEST_P(LeaderFeedTest, AnExtendedLeaseIsNoNews) {
  const Grant first = Lead("first");
  const auto observer = Observe();
  observer->Begin(std::nullopt);
  Resign(first);
  const Grant second = Lead("second");
  EXPECT_EQ(Read(*observer), "second");
  EXPECT_TRUE((*Extend(rooms(), "a", second.lease, seconds{60}, Deadline::Infinite())).has_value());
  EXPECT_EQ(Read(*observer), "-");
}

TEST_P(LeaderFeedTest, ASlowObserverSeesTheNewest) {
  const auto observer = Observe();
  observer->Begin(std::nullopt);
  for (int i = 0; i < 5; ++i) Resign(Lead(std::to_string(i)));
  Lead("last");
  EXPECT_EQ(Read(*observer), "last");
  EXPECT_EQ(Read(*observer), "-");
}

TEST_P(LeaderFeedTest, AnExpiredLeaseLeavesNobody) {
  Lead("first", seconds{5});
  const auto observer = Observe();
  observer->Begin(*FindHolder(rooms(), "a", Deadline::Infinite()));
  EXPECT_EQ(Read(*observer), "first");
  clock().Advance(seconds{5});
  std::string news;
  EXPECT_TRUE(Eventually([&] { return (news = Read(*observer)) != "-"; }));
  EXPECT_EQ(news, "");
}

INSTANTIATE_TEST_SUITE_P(Backends, LeaderFeedTest, OnEveryBackend(), BackendName);

}  // namespace
}  // namespace holdfast::coordination
