#include "service/storage/key_locks.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

namespace holdfast::storage {
namespace {

TEST(RocksDbKeyLocks, OneHolderAtATimeAndNoDeadlock) {
  KeyLocks locks;
  std::vector<std::string> keys;
  for (int i = 0; i < 20; ++i) keys.push_back("key" + std::to_string(i));
  std::vector<int> counters(keys.size());  // each guarded by its key's lock
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      std::mt19937 random(thread);
      for (int i = 0; i < 2000; ++i) {
        const std::size_t a = random() % keys.size();
        const std::size_t b = random() % keys.size();
        const std::vector<std::string_view> named = {keys[a], keys[b], keys[a]};
        const KeyLocks::Held held = locks.Lock(named);
        ++counters[a];
        if (a != b) ++counters[b];
        --counters[a];
        if (a != b) --counters[b];
        EXPECT_EQ(0, counters[a]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace holdfast::storage
