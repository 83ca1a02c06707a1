#include "service/storage/small_mutex.h"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

namespace holdfast::storage {
namespace {

TEST(SmallMutexTest, HasOneHolder) {
  SmallMutex mutex;
  EXPECT_FALSE(mutex.is_locked());
  {
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(mutex.is_locked());
    EXPECT_FALSE(mutex.try_lock());
  }
  EXPECT_FALSE(mutex.is_locked());
  ASSERT_TRUE(mutex.try_lock());
  mutex.unlock();
}

// Whoever waits is woken: without that a thread would stay behind and the test would not end.
TEST(SmallMutexTest, WakesWhoWaits) {
  constexpr int kThreads = 8;
  constexpr int kTurns = 5000;
  SmallMutex mutex;
  int turns = 0;  // guarded by mutex
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < kTurns; ++i) {
        const std::lock_guard lock(mutex);
        ++turns;
        if (i % 64 == 0) std::this_thread::yield();  // the others find it locked
      }
    });
  }
  threads.clear();
  EXPECT_EQ(kThreads * kTurns, turns);
  EXPECT_FALSE(mutex.is_locked());
}

}  // namespace
}  // namespace holdfast::storage
