#include "service/resilience/bulkhead.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>
#include <vector>

namespace holdfast::resilience {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Deadline kNever = Deadline::Infinite();

TEST(Bulkhead, RefusesAtOnceWhenAllPlacesAreTaken) {
  Bulkhead bulkhead({.max_calls = 2, .max_wait = milliseconds{0}});
  auto first = bulkhead.Enter(kNever);
  const auto second = bulkhead.Enter(kNever);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(bulkhead.Enter(kNever));
  EXPECT_EQ(bulkhead.calls(), 2);
  EXPECT_EQ(bulkhead.refused(), 1u);
  first.reset();
  EXPECT_TRUE(bulkhead.Enter(kNever));
}

TEST(Bulkhead, WhoWaitsGetsThePlaceThatIsLeft) {
  Bulkhead bulkhead({.max_calls = 1, .max_wait = seconds{20}});
  auto taken = bulkhead.Enter(kNever);
  auto waiting = std::async(std::launch::async, [&] { return bulkhead.Enter(kNever) != nullptr; });
  EXPECT_EQ(waiting.wait_for(milliseconds{20}), std::future_status::timeout);
  taken.reset();
  EXPECT_TRUE(waiting.get());
  EXPECT_EQ(bulkhead.calls(), 0);
}

TEST(Bulkhead, NobodyWaitsLongerThanItsDeadline) {
  Bulkhead bulkhead({.max_calls = 1, .max_wait = std::chrono::hours{1}});
  const auto taken = bulkhead.Enter(kNever);
  EXPECT_FALSE(bulkhead.Enter(Deadline::After(milliseconds{10})));
}

TEST(Bulkhead, NeverMoreThanItsPlacesAreTaken) {
  Bulkhead bulkhead({.max_calls = 3, .max_wait = seconds{20}});
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int call = 0; call < 200; ++call) {
        const auto place = bulkhead.Enter(kNever);
        ASSERT_TRUE(place);
        const int now = ++inside;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::yield();
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 3);
  EXPECT_EQ(bulkhead.calls(), 0);
}

}  // namespace
}  // namespace holdfast::resilience
