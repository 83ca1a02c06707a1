#include "operator/runtime/work_queue.h"

#include <future>

namespace holdfast::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const WorkQueue::Item kA{"ns", "a"};
const WorkQueue::Item kB{"ns", "b"};

TEST(WorkQueue, InOrder) {
  WorkQueue queue;
  queue.Add(kA);
  queue.Add(kB);
  EXPECT_EQ(queue.Depth(), 2u);
  EXPECT_EQ(queue.Get(), kA);
  EXPECT_EQ(queue.Get(), kB);
  EXPECT_EQ(queue.Depth(), 0u);
}

TEST(WorkQueue, AddedManyTimesProcessedOnce) {
  WorkQueue queue;
  for (int i = 0; i < 10; ++i) queue.Add(kA);
  EXPECT_EQ(queue.Depth(), 1u);
}

TEST(WorkQueue, AddedWhileProcessingProcessedOnceMoreAfterwards) {
  WorkQueue queue;
  queue.Add(kA);
  ASSERT_EQ(queue.Get(), kA);
  queue.Add(kA);
  queue.Add(kA);
  EXPECT_EQ(queue.Depth(), 0u);  // never by two workers at a time
  queue.Done(kA);
  EXPECT_EQ(queue.Depth(), 1u);
  ASSERT_EQ(queue.Get(), kA);
  queue.Done(kA);
  EXPECT_EQ(queue.Depth(), 0u);
}

TEST(WorkQueue, DelayedItemsComeWhenDue) {
  ManualClock clock;
  WorkQueue queue({}, clock);
  queue.AddAfter(kA, seconds{10});
  queue.AddAfter(kB, seconds{5});
  clock.Advance(seconds{5});
  EXPECT_EQ(queue.Get(), kB);
  clock.Advance(seconds{5});
  EXPECT_EQ(queue.Get(), kA);
}

TEST(WorkQueue, TheEarliestDelayWins) {
  ManualClock clock;
  WorkQueue queue({}, clock);
  queue.AddAfter(kA, seconds{5});
  queue.AddAfter(kA, seconds{60});
  clock.Advance(seconds{5});
  EXPECT_EQ(queue.Get(), kA);
  queue.Done(kA);
  clock.Advance(seconds{60});
  queue.Add(kB);
  EXPECT_EQ(queue.Get(), kB);  // the later one is not there a second time
  EXPECT_EQ(queue.Depth(), 0u);
}

TEST(WorkQueue, NoDelayIsAnAdd) {
  WorkQueue queue;
  queue.AddAfter(kA, seconds{0});
  EXPECT_EQ(queue.Depth(), 1u);
}

TEST(WorkQueue, BackoffDoublesPerItemUntilForgotten) {
  ManualClock clock;
  WorkQueue queue({milliseconds{5}, milliseconds{40}}, clock);
  for (const int delay : {5, 10, 20, 40, 40}) {
    queue.AddRateLimited(kA);
    clock.Advance(milliseconds{delay} - std::chrono::microseconds{1});
    queue.Add(kB);  // something to get, so that nothing blocks
    ASSERT_EQ(queue.Get(), kB) << delay;
    queue.Done(kB);
    EXPECT_EQ(queue.Depth(), 0u) << delay;
    clock.Advance(std::chrono::microseconds{1});
    ASSERT_EQ(queue.Get(), kA) << delay;
    queue.Done(kA);
  }
  EXPECT_EQ(queue.Failures(kA), 5);
  EXPECT_EQ(queue.Failures(kB), 0);
  queue.Forget(kA);
  EXPECT_EQ(queue.Failures(kA), 0);
  queue.AddRateLimited(kA);
  clock.Advance(milliseconds{5});
  EXPECT_EQ(queue.Get(), kA);
}

TEST(WorkQueue, AWaitingWorkerSeesAnEarlierDelay) {
  WorkQueue queue;
  queue.AddAfter(kA, std::chrono::hours{1});
  auto got = std::async(std::launch::async, [&] { return queue.Get(); });
  queue.AddAfter(kB, milliseconds{5});
  ASSERT_EQ(got.wait_for(seconds{20}), std::future_status::ready);
  EXPECT_EQ(got.get(), kB);
}

TEST(WorkQueue, ShutDownWakesWorkersAndDropsWhatWaits) {
  WorkQueue queue;
  auto got = std::async(std::launch::async, [&] { return queue.Get(); });
  queue.ShutDown();
  ASSERT_EQ(got.wait_for(seconds{20}), std::future_status::ready);
  EXPECT_EQ(got.get(), std::nullopt);
  queue.Add(kA);
  queue.AddRateLimited(kB);
  EXPECT_EQ(queue.Depth(), 0u);
  EXPECT_EQ(queue.Get(), std::nullopt);
}

TEST(WorkQueue, DoneAfterShutDownQueuesNothing) {
  WorkQueue queue;
  queue.Add(kA);
  ASSERT_EQ(queue.Get(), kA);
  queue.Add(kA);
  queue.ShutDown();
  queue.Done(kA);
  EXPECT_EQ(queue.Depth(), 0u);
}

TEST(WorkQueue, TellsItsMetrics) {
  metrics::Registry registry;
  ManualClock clock;
  WorkQueue queue({}, clock, WorkQueueMetrics::Of(registry, "storagecluster"));
  queue.Add(kA);
  queue.Add(kA);
  queue.Add(kB);
  clock.Advance(seconds{2});
  ASSERT_EQ(queue.Get(), kA);
  queue.AddRateLimited(kA);
  queue.Done(kA);
  const std::string text = registry.Serialize();
  for (const char* line :
       {"workqueue_depth{controller=\"storagecluster\",name=\"storagecluster\"} 1",
        "workqueue_adds_total{controller=\"storagecluster\",name=\"storagecluster\"} 2",
        "workqueue_retries_total{controller=\"storagecluster\",name=\"storagecluster\"} 1",
        "workqueue_queue_duration_seconds_sum{controller=\"storagecluster\",name=\"storagecluster\"} 2",
        "workqueue_work_duration_seconds_count{controller=\"storagecluster\",name=\"storagecluster\"} 1"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
}

TEST(WorkQueue, TellsForHowLongItsItemsAreUnderWay) {
  metrics::Registry registry;
  ManualClock clock;
  auto queue = std::make_shared<WorkQueue>(RateLimit{}, clock);
  AddUnfinishedWorkMetrics(registry, "storagecluster", queue);
  const std::string labels = "{controller=\"storagecluster\",name=\"storagecluster\"} ";
  const auto tells = [&](int total, int longest) {
    const std::string text = registry.Serialize();
    return text.find("workqueue_unfinished_work_seconds" + labels + std::to_string(total)) != std::string::npos &&
           text.find("workqueue_longest_running_processor_seconds" + labels + std::to_string(longest)) !=
               std::string::npos;
  };
  EXPECT_TRUE(tells(0, 0));
  queue->Add(kA);
  queue->Add(kB);
  ASSERT_EQ(queue->Get(), kA);
  clock.Advance(seconds{5});
  ASSERT_EQ(queue->Get(), kB);
  clock.Advance(seconds{2});
  EXPECT_TRUE(tells(9, 7)) << registry.Serialize();
  queue->Done(kA);
  EXPECT_TRUE(tells(2, 2)) << registry.Serialize();
  queue.reset();
  EXPECT_TRUE(tells(0, 0)) << registry.Serialize();
}

}  // namespace
}  // namespace holdfast::runtime
