#include "service/resilience/retry_budget.h"

#include <gtest/gtest.h>

namespace holdfast::resilience {
namespace {

int TakeAll(RetryBudget& budget) {
  int taken = 0;
  while (budget.Take()) ++taken;
  return taken;
}

TEST(RetryBudget, GivesItsShareOfTheCalls) {
  ManualClock clock;
  RetryBudget budget({.percent = 20, .per_second = 0, .burst = 100}, clock);
  EXPECT_EQ(TakeAll(budget), 0);
  for (int i = 0; i < 100; ++i) budget.NoteCall();
  EXPECT_NEAR(TakeAll(budget), 20, 1);
}

TEST(RetryBudget, GivesAFewASecondToThoseWhoHardlyCall) {
  ManualClock clock;
  RetryBudget budget({.percent = 0, .per_second = 5, .burst = 50}, clock);
  EXPECT_EQ(TakeAll(budget), 5);
  clock.Advance(std::chrono::milliseconds{400});
  EXPECT_EQ(TakeAll(budget), 2);
  clock.Advance(std::chrono::hours{1});
  EXPECT_EQ(TakeAll(budget), 50);
}

// A storm: every call fails and would be tried ten times.
TEST(RetryBudget, AStormSeesAtMostItsBudget) {
  ManualClock clock;
  const RetryBudgetOptions options{.percent = 10, .per_second = 5, .burst = 20};
  RetryBudget budget(options, clock);
  constexpr int kSeconds = 30;
  constexpr int kCallsASecond = 1000;
  int retries = 0;
  for (int second = 0; second < kSeconds; ++second) {
    for (int call = 0; call < kCallsASecond; ++call) {
      budget.NoteCall();
      for (int attempt = 1; attempt < 10; ++attempt) retries += budget.Take() ? 1 : 0;
      clock.Advance(std::chrono::microseconds{1'000'000 / kCallsASecond});
    }
  }
  const int allowed = options.burst + kSeconds * kCallsASecond * options.percent / 100 + kSeconds * options.per_second;
  EXPECT_LE(retries, allowed);
  EXPECT_GE(retries, allowed - options.burst - 10);  // and it is used
  EXPECT_EQ(budget.taken(), static_cast<std::uint64_t>(retries));
  EXPECT_GT(budget.refused(), 200'000u);
}

}  // namespace
}  // namespace holdfast::resilience
