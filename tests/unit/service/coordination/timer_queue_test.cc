#include "service/coordination/timer_queue.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>

namespace holdfast::coordination {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(TimerQueueTest, RunsInTheOrderOfTheirTimes) {
  std::vector<int> order;
  std::promise<void> last;
  TimerQueue timers;
  const auto now = steady_clock::now();
  timers.At(now + milliseconds{60}, [&] {
    order.push_back(3);
    last.set_value();
  });
  timers.At(now + milliseconds{30}, [&] { order.push_back(2); });
  timers.At(now - milliseconds{30}, [&] { order.push_back(1); });
  last.get_future().wait();
  EXPECT_GE(steady_clock::now(), now + milliseconds{60});
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(TimerQueueTest, CancelledTasksDoNotRun) {
  std::promise<void> last;
  bool ran = false;
  TimerQueue timers;
  const auto now = steady_clock::now();
  const TimerQueue::Id id = timers.At(now + milliseconds{20}, [&] { ran = true; });
  timers.At(now + milliseconds{40}, [&] { last.set_value(); });
  timers.Cancel(id);
  timers.Cancel(id);
  timers.Cancel(0);
  last.get_future().wait();
  EXPECT_FALSE(ran);
}

TEST(TimerQueueTest, TasksMayAddAndCancel) {
  std::promise<void> last;
  TimerQueue timers;
  timers.At(steady_clock::now(), [&] {
    const TimerQueue::Id never = timers.At(steady_clock::now() + milliseconds{1}, [] { ADD_FAILURE(); });
    timers.Cancel(never);
    timers.At(steady_clock::now() + milliseconds{5}, [&] { last.set_value(); });
  });
  last.get_future().wait();
}

// A wake-up may own, for its own time, the connection and with it the store that is being closed: the queue's thread
// waited for itself.
TEST(TimerQueueTest, ATaskMayLetGoOfTheLastReferenceToTheQueue) {
  std::promise<void> begun;
  std::promise<void> released;
  std::promise<void> ended;
  auto timers = std::make_shared<TimerQueue>();
  TimerQueue& queue = *timers;
  const std::weak_ptr<TimerQueue> watched = timers;
  queue.At(steady_clock::now(), [watched, &begun, &released, &ended] {
    auto last = watched.lock();
    begun.set_value();
    released.get_future().wait();
    last = nullptr;
    ended.set_value();
  });
  begun.get_future().wait();
  timers = nullptr;
  released.set_value();
  ended.get_future().wait();
  EXPECT_TRUE(watched.expired());
}

TEST(TimerQueueTest, WhatIsNotDueIsDroppedAtTheEnd) {
  const auto held = std::make_shared<int>(1);
  {
    TimerQueue timers;
    timers.At(steady_clock::now() + std::chrono::hours{1}, [held] { ADD_FAILURE() << *held; });
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace holdfast::coordination
