#include "service/resilience/circuit_breaker.h"

#include <gtest/gtest.h>

#include <thread>

namespace holdfast::resilience {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Circuit : public testing::Test {
 protected:
  // One call of so many operations; false when it was refused.
  bool Call(std::uint64_t answered, std::uint64_t failed) {
    const auto permit = breaker_.Admit();
    if (permit) breaker_.Record(*permit, answered, failed);
    return permit.has_value();
  }
  void Open() {
    while (breaker_.state() != CircuitState::kOpen) ASSERT_TRUE(Call(0, 1));
  }

  ManualClock clock_;
  CircuitBreaker breaker_{CircuitBreakerOptions{}, clock_};  // 50 % of at least 20 in 10 s, open for 5 s, 3 probes
};

TEST_F(Circuit, OpensAtItsRateAndNotBelow) {
  ASSERT_TRUE(Call(11, 0));
  ASSERT_TRUE(Call(0, 10));
  EXPECT_EQ(breaker_.state(), CircuitState::kClosed);
  ASSERT_TRUE(Call(0, 1));
  EXPECT_EQ(breaker_.state(), CircuitState::kOpen);
  EXPECT_EQ(breaker_.opened(), 1u);
}

TEST_F(Circuit, FewOperationsProveNothing) {
  ASSERT_TRUE(Call(0, 19));
  EXPECT_EQ(breaker_.state(), CircuitState::kClosed);
  ASSERT_TRUE(Call(0, 1));
  EXPECT_EQ(breaker_.state(), CircuitState::kOpen);
}

TEST_F(Circuit, WhatLiesBehindTheWindowIsForgotten) {
  ASSERT_TRUE(Call(0, 19));
  clock_.Advance(seconds{10});
  ASSERT_TRUE(Call(0, 19));
  EXPECT_EQ(breaker_.state(), CircuitState::kClosed);
  clock_.Advance(seconds{8});
  ASSERT_TRUE(Call(0, 1));  // the nineteen are 8 s old
  EXPECT_EQ(breaker_.state(), CircuitState::kOpen);
}

TEST_F(Circuit, OpenItRefusesUntilItsTimeIsOver) {
  Open();
  EXPECT_TRUE(breaker_.refuses());
  EXPECT_FALSE(Call(1, 0));
  EXPECT_EQ(breaker_.refused(), 2u);
  EXPECT_EQ(breaker_.RetryIn(), seconds{5});
  clock_.Advance(milliseconds{4'999});
  EXPECT_FALSE(Call(1, 0));
  EXPECT_EQ(breaker_.RetryIn(), milliseconds{1});
  clock_.Advance(milliseconds{1});
  EXPECT_FALSE(breaker_.refuses());
  EXPECT_TRUE(Call(1, 0));
  EXPECT_EQ(breaker_.state(), CircuitState::kHalfOpen);
}

TEST_F(Circuit, HalfOpenItClosesBehindItsProbesAndBeginsAnew) {
  Open();
  clock_.Advance(seconds{5});
  EXPECT_TRUE(Call(1, 0));
  EXPECT_TRUE(Call(1, 0));
  EXPECT_EQ(breaker_.state(), CircuitState::kHalfOpen);
  EXPECT_TRUE(Call(1, 0));
  EXPECT_EQ(breaker_.state(), CircuitState::kClosed);
  ASSERT_TRUE(Call(0, 19));  // the failures that opened it are not counted again
  EXPECT_EQ(breaker_.state(), CircuitState::kClosed);
}

TEST_F(Circuit, HalfOpenOneFailureOpensItForItsWholeTime) {
  Open();
  clock_.Advance(seconds{5});
  EXPECT_TRUE(Call(1, 0));
  EXPECT_TRUE(Call(0, 1));
  EXPECT_EQ(breaker_.state(), CircuitState::kOpen);
  EXPECT_EQ(breaker_.RetryIn(), seconds{5});
  EXPECT_EQ(breaker_.opened(), 2u);
}

TEST_F(Circuit, HalfOpenNoMoreThanTheProbesAreUnderWay) {
  Open();
  clock_.Advance(seconds{5});
  const auto first = breaker_.Admit();
  const auto second = breaker_.Admit();
  const auto third = breaker_.Admit();
  ASSERT_TRUE(first && second && third);
  EXPECT_FALSE(breaker_.Admit());
  EXPECT_TRUE(breaker_.refuses());
  breaker_.Record(*first, 0, 0);  // it said nothing: another may try
  const auto fourth = breaker_.Admit();
  ASSERT_TRUE(fourth);
  for (const auto& permit : {second, third, fourth}) breaker_.Record(*permit, 1, 0);
  EXPECT_EQ(breaker_.state(), CircuitState::kClosed);
}

TEST_F(Circuit, ACallThatBeganBeforeTheChangeDecidesNothing) {
  const auto hangs = breaker_.Admit();
  ASSERT_TRUE(hangs);
  Open();
  clock_.Advance(seconds{5});
  const auto probe = breaker_.Admit();
  ASSERT_TRUE(probe);
  breaker_.Record(*hangs, 0, 1);
  EXPECT_EQ(breaker_.state(), CircuitState::kHalfOpen);
  breaker_.Record(*probe, 1, 0);
  EXPECT_TRUE(Call(1, 0));
  EXPECT_TRUE(Call(1, 0));
  EXPECT_EQ(breaker_.state(), CircuitState::kClosed);
}

TEST_F(Circuit, ManyThreadsNeverLoseAProbe) {
  Open();
  for (int round = 0; round < 50; ++round) {
    clock_.Advance(seconds{5});
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([this, i, round] { static_cast<void>(Call(i == 0 ? 0 : 1, round % 3 == 0 ? 1 : 0)); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  clock_.Advance(seconds{5});
  for (int i = 0; i < 10 && breaker_.state() != CircuitState::kClosed; ++i) static_cast<void>(Call(1, 0));
  EXPECT_EQ(breaker_.state(), CircuitState::kClosed);
}

}  // namespace
}  // namespace holdfast::resilience
