#include "service/backends/memory/shard_lock.h"

#include <gtest/gtest.h>

#include <latch>
#include <shared_mutex>
#include <thread>
#include <vector>

namespace holdfast::storage {
namespace {

TEST(ShardLock, ReadersAreInsideTogether) {
  ShardLock lock;
  constexpr int kReaders = 12;  // more than stripes
  std::latch all_inside(kReaders);
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      const std::shared_lock inside(lock);
      all_inside.arrive_and_wait();  // would never end if one of them waited for another
    });
  }
  for (std::thread& reader : readers) reader.join();
}

TEST(ShardLock, AWriterIsAlone) {
  ShardLock lock;
  std::int64_t a = 0;  // not atomic: the thread sanitizer watches
  std::int64_t b = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20'000; ++round) {
        const std::unique_lock alone(lock);
        ++a;
        ++b;
      }
    });
    threads.emplace_back([&] {
      for (int round = 0; round < 20'000; ++round) {
        lock.lock_shared();
        EXPECT_EQ(a, b);
        lock.UnlockShared(round % 4 == 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(40'000, a);
  EXPECT_EQ(10'000u, lock.hits());
  EXPECT_EQ(30'000u, lock.misses());
}

}  // namespace
}  // namespace holdfast::storage
