#include "service/coordination/lock_service.h"

#include <future>

#include "tests/unit/service/coordination/coordination_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::coordination {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class LockServiceTest : public CoordinationTest {
 protected:
  void SetUp() override {
    CoordinationTest::SetUp();
    UseOptions({});
    Listen(service_);
  }
  void TearDown() override {
    service_->Stop();
    pool_.Drain();
    service_.reset();
  }
  void UseOptions(const LockOptions& options) {
    service_ = std::make_shared<LockService>(options, "main", MakeRowLocks(clock()), clock(), timers_, registry_);
  }
  AcquireRequest Request(const std::string& owner, std::chrono::microseconds wait,
                         std::chrono::microseconds ttl = hours{1}) {
    AcquireRequest request{tenant(), "a", owner, ttl, wait, Deadline::Infinite(), {}};
    request.run = [this](std::function<void()> task) { return pool_.Add(std::move(task)); };
    return request;
  }
  std::future<Acquired> Start(AcquireRequest request, LockService::Ticket* ticket = nullptr) {
    auto promise = std::make_shared<std::promise<Acquired>>();
    auto future = promise->get_future();
    const auto given =
        service_->Acquire(std::move(request), [promise](Acquired result) { promise->set_value(std::move(result)); });
    if (ticket != nullptr) *ticket = given;
    return future;
  }
  static Acquired Get(std::future<Acquired>& future) {
    if (future.wait_for(seconds{60}) != std::future_status::ready) {
      ADD_FAILURE() << "no answer";
      return Error(ErrorCode::kInternal, "no answer");
    }
    return future.get();
  }
  static bool Pending(std::future<Acquired>& future) {
    return future.wait_for(seconds{0}) == std::future_status::timeout;
  }
  Grant MustGet(std::future<Acquired>& future) {
    const Acquired result = Get(future);
    if (result.ok() && std::holds_alternative<Grant>(*result)) return std::get<Grant>(*result);
    ADD_FAILURE() << (result.ok() ? "held by " + std::get<Holder>(*result).owner : result.error().ToString());
    return {};
  }
  Grant MustAcquire(const std::string& owner, std::chrono::microseconds ttl = hours{1}) {
    auto future = Start(Request(owner, seconds{0}, ttl));
    return MustGet(future);
  }
  void MustRelease(const Lease& lease) {
    const auto released = Release(rooms(), "a", lease, Deadline::Infinite());
    ASSERT_TRUE(released.ok() && *released);
  }
  bool IsHeldBy(const std::string& owner) {
    const auto holder = FindHolder(rooms(), "a", Deadline::Infinite());
    return holder.ok() && holder->has_value() && (*holder)->owner == owner;
  }

  metrics::Registry registry_;
  TimerQueue timers_;
  execution::TaskPool pool_{2, 10'000};
  std::shared_ptr<LockService> service_;
};

TEST_P(LockServiceTest, WithoutWaitingAHeldLockIsToldAtOnce) {
  MustAcquire("first");
  auto second = Start(Request("second", seconds{0}));
  const Acquired result = Get(second);
  ASSERT_TRUE(result.ok() && std::holds_alternative<Holder>(*result));
  EXPECT_EQ(std::get<Holder>(*result).owner, "first");
  EXPECT_EQ(service_->waiting(), 0u);
}

TEST_P(LockServiceTest, AWaiterGetsTheLockWhenItIsReleased) {
  const Grant first = MustAcquire("first");
  auto second = Start(Request("second", hours{1}));
  ASSERT_TRUE(Eventually([&] { return service_->waiting() == 1; }));
  EXPECT_TRUE(Pending(second));
  MustRelease(first.lease);
  EXPECT_GT(MustGet(second).token, first.token);
  EXPECT_EQ(service_->waiting(), 0u);
}

TEST_P(LockServiceTest, AWaiterGetsTheLockWhenItExpires) {
  MustAcquire("first", seconds{30});
  auto second = Start(Request("second", hours{1}));
  clock().Advance(seconds{30});
  MustGet(second);
}

TEST_P(LockServiceTest, AWaiterIsToldWhenItsTimeIsUp) {
  const Grant first = MustAcquire("first");
  auto second = Start(Request("second", milliseconds{30}));
  const Acquired result = Get(second);
  ASSERT_TRUE(result.ok() && std::holds_alternative<Holder>(*result));
  EXPECT_EQ(std::get<Holder>(*result).owner, "first");
  MustRelease(first.lease);
  EXPECT_TRUE(Eventually([&] { return !IsHeldBy("second"); }));
  MustAcquire("third");
}

TEST_P(LockServiceTest, ServesInTheOrderOfArrival) {
  constexpr int kWaiters = 50;
  Grant holder = MustAcquire("first");
  std::vector<std::future<Acquired>> waiters;
  for (int i = 0; i < kWaiters; ++i) waiters.push_back(Start(Request(std::to_string(i), hours{1})));
  EXPECT_EQ(service_->waiting(), static_cast<std::size_t>(kWaiters));
  for (int i = 0; i < kWaiters; ++i) {
    MustRelease(holder.lease);
    const Grant next = MustGet(waiters[static_cast<std::size_t>(i)]);
    EXPECT_GT(next.token, holder.token);
    EXPECT_TRUE(IsHeldBy(std::to_string(i)));
    holder = next;
  }
}

TEST_P(LockServiceTest, NobodyOvertakesThoseWhoWait) {
  const Grant first = MustAcquire("first");
  auto second = Start(Request("second", hours{1}));
  MustRelease(first.lease);
  auto third = Start(Request("third", seconds{0}));
  MustGet(second);
  const Acquired result = Get(third);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(std::holds_alternative<Holder>(*result));
}

TEST_P(LockServiceTest, WhoIsGoneIsNotGrantedTheLock) {
  const Grant first = MustAcquire("first");
  LockService::Ticket ticket;
  auto gone = Start(Request("gone", hours{1}), &ticket);
  auto third = Start(Request("third", hours{1}));
  EXPECT_TRUE(service_->Cancel(ticket));
  EXPECT_TRUE(Eventually([&] { return service_->waiting() == 1; }));
  MustRelease(first.lease);
  MustGet(third);
  EXPECT_TRUE(IsHeldBy("third"));
  EXPECT_THROW(gone.get(), std::future_error) << "was answered";
}

// The try is on its way when the client goes: what it was granted is given back.
TEST_P(LockServiceTest, AGrantThatNobodyWantsIsReleased) {
  std::promise<void> may_run;
  std::shared_future<void> gate = may_run.get_future().share();
  AcquireRequest request = Request("gone", seconds{0});
  request.run = [this, gate](std::function<void()> task) {
    return pool_.Add([gate, task = std::move(task)] {
      gate.wait();
      task();
    });
  };
  LockService::Ticket ticket;
  auto gone = Start(std::move(request), &ticket);
  EXPECT_TRUE(service_->Cancel(ticket));
  may_run.set_value();
  EXPECT_TRUE(Eventually([&] { return service_->waiting() == 0; }));
  EXPECT_THROW(gone.get(), std::future_error) << "was answered";
  EXPECT_FALSE(IsHeldBy("gone"));
  MustAcquire("next");
}

// Between taking the lock and saying so there is a moment in which it is nobody's who could be cancelled: whoever
// cancels then is told that the answer comes all the same, so that the grant is never lost between the two.
TEST_P(LockServiceTest, ACancelEitherTakesTheGrantBackOrLeavesItToTheCaller) {
  for (int round = 0; round < 200; ++round) {
    LockService::Ticket ticket;
    auto asked = Start(Request("me", seconds{0}), &ticket);
    for (int i = 0; i < round; ++i) std::this_thread::yield();
    if (service_->Cancel(ticket)) {
      EXPECT_TRUE(Eventually([&] { return service_->waiting() == 0; }));
      EXPECT_THROW(asked.get(), std::future_error) << "was answered";
    } else {
      MustRelease(MustGet(asked).lease);
    }
    ASSERT_FALSE(IsHeldBy("me")) << "round " << round;
  }
}

TEST_P(LockServiceTest, WaitersAreBounded) {
  service_->Stop();
  UseOptions({.max_waiters_per_lock = 2, .max_waiters = 3});
  MustAcquire("first");
  auto second = Start(Request("second", hours{1}));
  auto third = Start(Request("third", hours{1}));
  auto fourth = Start(Request("fourth", hours{1}));
  const Acquired refused = Get(fourth);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message().find("locks.waiters_per_lock"), std::string::npos);
}

TEST_P(LockServiceTest, ARefusingPoolIsToldAndLeavesNobodyBehind) {
  AcquireRequest request = Request("me", hours{1});
  request.run = [](const std::function<void()>&) { return false; };
  auto refused = Start(std::move(request));
  const Acquired result = Get(refused);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(service_->waiting(), 0u);
  MustAcquire("next");
}

TEST_P(LockServiceTest, StoppingAnswersThoseWhoWait) {
  MustAcquire("first");
  auto second = Start(Request("second", hours{1}));
  auto third = Start(Request("third", hours{1}));
  service_->Stop();
  // The one that was being tried may have learned that the lock is held.
  EXPECT_EQ(second.wait_for(seconds{60}), std::future_status::ready);
  const Acquired result = Get(third);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kUnavailable);
  auto late = Start(Request("late", hours{1}));
  EXPECT_FALSE(Get(late).ok());
  EXPECT_EQ(service_->waiting(), 0u);
}

// Another instance over the same backend releases: this one hears nothing and has to look.
TEST_P(LockServiceTest, AReleaseThatIsNotHeardOfIsNoticed) {
  service_->Stop();
  UseOptions({});  // the backend goes on telling the first one
  const Grant first = MustAcquire("first");
  auto second = Start(Request("second", hours{1}));
  ASSERT_TRUE(Eventually([&] { return service_->waiting() == 1; }));
  MustRelease(first.lease);
  MustGet(second);
}

INSTANTIATE_TEST_SUITE_P(Backends, LockServiceTest, OnEveryBackend(), BackendName);

}  // namespace
}  // namespace holdfast::coordination
