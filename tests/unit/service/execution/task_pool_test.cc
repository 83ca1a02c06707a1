#include "service/execution/task_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace holdfast::execution {
namespace {

TEST(TaskPool, RunsEveryTaskBeforeDrainReturns) {
  std::atomic<int> ran{0};
  TaskPool pool(3, 1000);
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(pool.Add([&] { ++ran; }));
  pool.Drain();
  EXPECT_EQ(500, ran);
  EXPECT_FALSE(pool.Add([&] { ++ran; }));
  pool.Drain();
  EXPECT_EQ(500, ran);
}

TEST(TaskPool, RefusesWhatDoesNotFitInTheQueue) {
  std::promise<void> started;
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::atomic<int> ran{0};
  TaskPool pool(1, 2);
  ASSERT_TRUE(pool.Add([&, released] {
    started.set_value();
    released.wait();
  }));
  started.get_future().wait();
  EXPECT_TRUE(pool.Add([&] { ++ran; }));
  EXPECT_TRUE(pool.Add([&] { ++ran; }));
  EXPECT_FALSE(pool.Add([&] { ++ran; }));
  release.set_value();
  pool.Drain();
  EXPECT_EQ(2, ran);
}

}  // namespace
}  // namespace holdfast::execution
