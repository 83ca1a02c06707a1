#include "service/storage/periodic_task.h"

#include <gtest/gtest.h>

#include <atomic>

namespace holdfast::storage {
namespace {

TEST(PeriodicTask, RunsAgainAndAgainUntilStopped) {
  std::atomic<int> runs{0};
  PeriodicTask task(std::chrono::milliseconds{1}, [&] { ++runs; });
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (runs < 5 && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  EXPECT_GE(runs, 5);
  task.Stop();
  const int after = runs;
  task.Stop();
  EXPECT_EQ(after, runs);
}

TEST(PeriodicTask, StopDoesNotWaitForTheInterval) {
  std::atomic<int> runs{0};
  {
    PeriodicTask task(std::chrono::hours{1}, [&] { ++runs; });
  }
  EXPECT_EQ(0, runs);
}

}  // namespace
}  // namespace holdfast::storage
