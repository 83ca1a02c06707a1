// Concurrency: whatever the interleaving, one item is never with two workers, and an item added is processed at least
// once after its last Add. Seed: HOLDFAST_SEED.
#include <atomic>
#include <cstdlib>
#include <random>

#include "operator/runtime/work_queue.h"
#include "tests/waiting/eventually.h"

namespace holdfast::runtime {
namespace {

constexpr int kItems = 8;
constexpr int kProducers = 3;
constexpr int kWorkers = 4;
constexpr int kAddsPerProducer = 3000;

unsigned Seed() {
  const char* text = std::getenv("HOLDFAST_SEED");
  return text == nullptr ? 1u : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

TEST(WorkQueueProperty, NoItemIsLostAndNoneIsWithTwoWorkers) {
  const unsigned seed = Seed();
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  WorkQueue queue({std::chrono::microseconds{50}, std::chrono::milliseconds{1}});
  std::array<std::atomic<int>, kItems> workers_on{};
  std::array<std::atomic<std::int64_t>, kItems> wanted{};  // raised before every Add
  std::array<std::atomic<std::int64_t>, kItems> seen{};    // what a worker saw of it
  std::atomic<int> overlaps{0};
  const auto item = [](int i) { return WorkQueue::Item{"ns", std::to_string(i)}; };

  std::vector<std::jthread> workers;
  for (int w = 0; w < kWorkers; ++w) {
    workers.emplace_back([&, w] {
      std::mt19937 random(seed * 1000 + static_cast<unsigned>(w));
      while (const auto got = queue.Get()) {
        const auto i = static_cast<std::size_t>(std::stoi(got->name));
        if (workers_on[i].fetch_add(1) != 0) ++overlaps;
        const std::int64_t now = wanted[i].load();
        if (random() % 8 == 0) std::this_thread::yield();
        seen[i].store(now);
        workers_on[i].fetch_sub(1);
        // Now and then as a controller does on an error.
        if (random() % 16 == 0) {
          queue.AddRateLimited(*got);
        } else {
          queue.Forget(*got);
        }
        queue.Done(*got);
      }
    });
  }
  {
    std::vector<std::jthread> producers;
    for (int p = 0; p < kProducers; ++p) {
      producers.emplace_back([&, p] {
        std::mt19937 random(seed * 77 + static_cast<unsigned>(p));
        for (int n = 0; n < kAddsPerProducer; ++n) {
          const int i = static_cast<int>(random() % kItems);
          ++wanted[static_cast<std::size_t>(i)];
          if (random() % 4 == 0) {
            queue.AddAfter(item(i), std::chrono::microseconds{random() % 300});
          } else {
            queue.Add(item(i));
          }
        }
      });
    }
  }
  const bool all_seen = Eventually([&] {
    for (std::size_t i = 0; i < kItems; ++i) {
      if (seen[i].load() != wanted[i].load()) return false;
    }
    return true;
  });
  queue.ShutDown();
  workers.clear();
  EXPECT_TRUE(all_seen) << "an Add was lost";
  EXPECT_EQ(overlaps.load(), 0) << "two workers had the same item";
}

}  // namespace
}  // namespace holdfast::runtime
