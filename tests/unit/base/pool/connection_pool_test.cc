#include "base/pool/connection_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>

namespace holdfast::pool {
namespace {

using namespace std::chrono_literals;

// A server that may be told to refuse, to be silent and to close; and what a pool did to it.
struct FakeServer {
  std::atomic<bool> refuses{false};
  std::atomic<bool> answers{true};
  std::atomic<int> opened{0};
  std::atomic<int> standing{0};
  std::atomic<int> asked{0};
};

class FakeConnection final : public Pooled {
 public:
  explicit FakeConnection(FakeServer& server) : number(++server.opened), server_(server) { ++server_.standing; }
  ~FakeConnection() override { --server_.standing; }
  bool usable() const override { return good; }
  bool misdirected() const override { return astray; }
  bool HungUp() const override { return closed; }
  bool Answers(Deadline) override {
    ++server_.asked;
    return server_.answers;
  }
  std::chrono::steady_clock::time_point opened_at() const override { return opened_at_; }

  const int number;
  bool good = true;
  bool astray = false;
  bool closed = false;

 private:
  FakeServer& server_;
  const std::chrono::steady_clock::time_point opened_at_ = std::chrono::steady_clock::now();
};

using FakePool = ConnectionPool<FakeConnection>;

Deadline Soon() {
  return Deadline::After(30s);
}

class Pool : public testing::Test {
 protected:
  Pool() {
    options_.owner = "the pool of a test";
    options_.min_connections = 0;
    options_.max_connections = 2;
    options_.acquire_timeout = 30s;
    options_.reopening = {1ms, 5ms, 1.0};
  }
  void Make() {
    pool_ = std::make_unique<FakePool>(options_, [this]() -> Result<std::unique_ptr<FakeConnection>> {
      if (server_.refuses) return Error(ErrorCode::kUnavailable, "the server refuses");
      return std::make_unique<FakeConnection>(server_);
    });
  }
  // Polls, with a deadline.
  template <typename Condition>
  void Await(Condition condition) {
    const Deadline deadline = Soon();
    while (!condition() && !deadline.Expired()) std::this_thread::sleep_for(1ms);
    EXPECT_TRUE(condition());
  }

  FakeServer server_;
  Options options_;
  std::unique_ptr<FakePool> pool_;
};

TEST_F(Pool, KeepsWhatItHasOpened) {
  Make();
  int first = 0;
  { first = pool_->Acquire(Soon()).value()->number; }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pool_->Acquire(Soon()).value()->number, first);
  const Statistics statistics = pool_->statistics();
  EXPECT_EQ(statistics.opened, 1u);
  EXPECT_EQ(statistics.acquired, 11u);
  EXPECT_EQ(statistics.idle, 1u);
  EXPECT_EQ(statistics.in_use, 0u);
  EXPECT_EQ(statistics.max, 2u);
}

TEST_F(Pool, OpensTheMinimumUnasked) {
  options_.min_connections = 2;
  Make();
  Await([&] { return pool_->statistics().idle == 2; });
}

TEST_F(Pool, ExhaustionNamesLimitAndTimeout) {
  options_.acquire_timeout = 20ms;
  Make();
  const auto first = pool_->Acquire(Soon());
  const auto second = pool_->Acquire(Soon());
  ASSERT_TRUE(first.ok() && second.ok());
  const auto third = pool_->Acquire(Soon());
  ASSERT_FALSE(third.ok());
  EXPECT_EQ(third.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(third.error().message().find("acquire_timeout, 2 of pool_max 2 are open"), std::string::npos);
  const auto hurried = pool_->Acquire(Deadline::After(1ms));
  EXPECT_EQ(hurried.error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(pool_->statistics().timeouts, 2u);
  EXPECT_EQ(server_.standing, 2);
}

TEST_F(Pool, WhoWaitsGetsOneInTheOrderOfAsking) {
  options_.max_connections = 1;
  Make();
  constexpr int kWaiters = 8;
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::thread> threads;
  {
    const auto held = pool_->Acquire(Soon());
    ASSERT_TRUE(held.ok());
    for (int i = 0; i < kWaiters; ++i) {
      threads.emplace_back([&, i] {
        const auto lease = pool_->Acquire(Soon());
        ASSERT_TRUE(lease.ok());
        std::lock_guard lock(mutex);
        order.push_back(i);
      });
      Await([&] { return pool_->statistics().waiting == static_cast<std::uint64_t>(i) + 1; });
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(pool_->statistics().opened, 1u);
}

TEST_F(Pool, AClosedOneIsReplacedBeforeItIsUsed) {
  Make();
  { pool_->Acquire(Soon()).value()->closed = true; }
  EXPECT_EQ(pool_->Acquire(Soon()).value()->number, 2);
  EXPECT_EQ(server_.asked, 0);
}

TEST_F(Pool, AfterALossTheOthersAreAskedOnce) {
  Make();
  {
    auto first = pool_->Acquire(Soon());
    auto second = pool_->Acquire(Soon());
    ASSERT_TRUE(first.ok() && second.ok());
  }
  { pool_->Acquire(Soon()).value()->good = false; }
  { EXPECT_TRUE(pool_->Acquire(Soon()).ok()); }
  EXPECT_EQ(server_.asked, 1);
  // Once answered, not again.
  { EXPECT_TRUE(pool_->Acquire(Soon()).ok()); }
  EXPECT_EQ(server_.asked, 1);
}

TEST_F(Pool, OneThatDoesNotAnswerTakesTheIdleOnesWithIt) {
  options_.max_connections = 3;
  Make();
  {
    auto first = pool_->Acquire(Soon());
    auto second = pool_->Acquire(Soon());
    auto third = pool_->Acquire(Soon());
    ASSERT_TRUE(first.ok() && second.ok() && third.ok());
  }
  { pool_->Acquire(Soon()).value()->good = false; }
  server_.answers = false;
  EXPECT_EQ(pool_->Acquire(Soon()).value()->number, 4);
  EXPECT_EQ(server_.asked, 1);
  EXPECT_EQ(pool_->statistics().closed, 3u);
}

TEST_F(Pool, AMisdirectedOneTakesTheIdleOnesWithIt) {
  Make();
  {
    auto first = pool_->Acquire(Soon());
    auto second = pool_->Acquire(Soon());
    ASSERT_TRUE(first.ok() && second.ok());
  }
  {
    auto lease = pool_->Acquire(Soon());
    ASSERT_TRUE(lease.ok());
    (*lease)->astray = true;
    (*lease)->good = false;
  }
  EXPECT_EQ(server_.standing, 0);
}

TEST_F(Pool, OldAndUnusedOnesGo) {
  options_.max_lifetime = 1ms;
  Make();
  { EXPECT_TRUE(pool_->Acquire(Soon()).ok()); }
  Await([&] { return server_.standing == 0; });
  options_.max_lifetime = 0ms;
  options_.idle_timeout = 1ms;
  options_.min_connections = 1;
  Make();
  {
    auto first = pool_->Acquire(Soon());
    auto second = pool_->Acquire(Soon());
    ASSERT_TRUE(first.ok() && second.ok());
  }
  Await([&] { return server_.standing == 1; });
}

TEST_F(Pool, WithoutAServerCallersHearTheReasonAndAttemptsGoOn) {
  server_.refuses = true;
  Make();
  const auto refused = pool_->Acquire(Soon());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message(), "the server refuses");
  EXPECT_GE(pool_->statistics().failures, 1u);
  server_.refuses = false;
  EXPECT_TRUE(pool_->Acquire(Soon()).ok());
}

TEST_F(Pool, ClosingFailsWaitersAndOutlivesLeases) {
  options_.max_connections = 1;
  Make();
  auto held = std::make_unique<Result<FakePool::Lease>>(pool_->Acquire(Soon()));
  auto waiting = std::async(std::launch::async, [&] { return pool_->Acquire(Soon()).ok(); });
  Await([&] { return pool_->statistics().waiting == 1; });
  pool_->Close();
  EXPECT_FALSE(waiting.get());
  EXPECT_EQ(pool_->Acquire(Soon()).error().message(), "the pool of a test is closed");
  EXPECT_EQ(server_.standing, 1);
  held.reset();
  EXPECT_EQ(server_.standing, 0);
  pool_->Close();
}

}  // namespace
}  // namespace holdfast::pool
