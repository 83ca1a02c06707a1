#include "service/backends/rocksdb/entry_cache.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace holdfast::storage {
namespace {

constexpr std::uint64_t kMi = 1u << 20;

EntryPtr EntryOf(std::string value, Version version = 1) {
  Entry entry;
  entry.value = std::move(value);
  entry.version = version;
  return std::make_shared<const Entry>(std::move(entry));
}

// As a reader does that found the entry in the database.
void Load(EntryCache& cache, std::string_view key, const EntryPtr& entry) {
  cache.Fill(key, entry, cache.Find(key).ticket);
}

void Write(EntryCache& cache, std::string_view key, const EntryPtr& entry) {
  cache.BeginWrite(key);
  cache.EndWrite(key, entry);
}

TEST(EntryCacheTest, GivesBackWhatWasReadAndWhatWasWritten) {
  EntryCache cache(kMi);
  const EntryPtr read = EntryOf("read");
  const EntryPtr written = EntryOf("written");
  EXPECT_EQ(nullptr, cache.Find("a").entry);
  Load(cache, "a", read);
  Write(cache, "b", written);
  EXPECT_EQ(read, cache.Find("a").entry);
  EXPECT_EQ(written, cache.Find("b").entry);
  EXPECT_EQ(nullptr, cache.Find("c").entry);
  EXPECT_EQ(2u, cache.hits());
}

TEST(EntryCacheTest, AWriteReplacesWhatWasThere) {
  EntryCache cache(kMi);
  Load(cache, "a", EntryOf("old"));
  const EntryPtr written = EntryOf("new");
  Write(cache, "a", written);
  EXPECT_EQ(written, cache.Find("a").entry);
  Write(cache, "a", nullptr);
  EXPECT_EQ(nullptr, cache.Find("a").entry);
}

TEST(EntryCacheTest, AWriterIsGivenWhatItReplaces) {
  EntryCache cache(kMi);
  const EntryPtr old = EntryOf("old");
  Load(cache, "a", old);
  EXPECT_EQ(old, cache.BeginWrite("a"));
  cache.EndWrite("a", EntryOf("new"));
  EXPECT_EQ(nullptr, cache.BeginWrite("b"));
  cache.EndWrite("b", nullptr);
  EXPECT_EQ(1u, cache.hits());
}

TEST(EntryCacheTest, AWriteThatWasGivenUpLeavesWhatWasThere) {
  EntryCache cache(kMi);
  const EntryPtr old = EntryOf("old");
  Load(cache, "a", old);
  cache.EndWrite("a", cache.BeginWrite("a"));
  EXPECT_EQ(old, cache.Find("a").entry);
}

TEST(EntryCacheTest, AWriteOutlivesItsPlaceInTheCache) {
  EntryCache cache(EntryCache::SetBytes());  // one set
  Load(cache, "a", EntryOf("old"));
  cache.BeginWrite("a");
  cache.BeginWrite("b");
  for (int i = 0; i < 100; ++i) {  // these pushed a's place out
    Write(cache, std::to_string(i), EntryOf("x"));
    EXPECT_EQ(nullptr, cache.Find("a").entry) << i;
  }
  const EntryPtr written = EntryOf("new");
  cache.EndWrite("a", written);
  EXPECT_EQ(written, cache.Find("a").entry);
  cache.EndWrite("b", nullptr);
  EXPECT_EQ(nullptr, cache.Find("b").entry);
}

TEST(EntryCacheTest, AnEntryThatGrowsPushesOthersOut) {
  constexpr int kOthers = 8;
  EntryCache cache(EntryCache::SetBytes());
  for (int i = 0; i < kOthers; ++i) Load(cache, std::to_string(i), EntryOf("x"));
  Load(cache, "a", EntryOf("x"));
  for (const std::size_t bytes : {1000U, 2000U, 3600U}) {
    const EntryPtr grown = EntryOf(std::string(bytes, 'x'));
    Write(cache, "a", grown);
    EXPECT_EQ(grown, cache.Find("a").entry) << bytes;
  }
  int kept = 0;
  for (int i = 0; i < kOthers; ++i) kept += cache.Find(std::to_string(i)).entry ? 1 : 0;
  EXPECT_LT(kept, 3);
  Write(cache, "a", EntryOf(std::string(EntryCache::SetBytes(), 'x')));
  EXPECT_EQ(nullptr, cache.Find("a").entry) << "larger than a set";
}

TEST(EntryCacheTest, NothingIsFoundWhileItIsWritten) {
  EntryCache cache(kMi);
  Load(cache, "a", EntryOf("old"));
  cache.BeginWrite("a");
  const EntryCache::Found during = cache.Find("a");
  EXPECT_EQ(nullptr, during.entry);
  cache.Fill("a", EntryOf("old"), during.ticket);
  EXPECT_EQ(nullptr, cache.Find("a").entry);
  cache.EndWrite("a", nullptr);
  cache.Fill("a", EntryOf("old"), during.ticket);
  EXPECT_EQ(nullptr, cache.Find("a").entry);
}

TEST(EntryCacheTest, WhatWasReadBeforeAWriteIsNotKeptAfterIt) {
  EntryCache cache(kMi);
  const EntryCache::Ticket before = cache.Find("a").ticket;
  const EntryPtr written = EntryOf("new");
  Write(cache, "a", written);
  cache.Fill("a", EntryOf("old"), before);
  EXPECT_EQ(written, cache.Find("a").entry);
  Write(cache, "a", nullptr);
  cache.Fill("a", EntryOf("old"), before);
  EXPECT_EQ(nullptr, cache.Find("a").entry);
}

TEST(EntryCacheTest, StaysWithinItsSize) {
  constexpr std::size_t kValueBytes = 1000;
  EntryCache cache(kMi);
  for (int i = 0; i < 20'000; ++i) Load(cache, std::to_string(i), EntryOf(std::string(kValueBytes, 'x')));
  std::size_t kept = 0;
  for (int i = 0; i < 20'000; ++i) kept += cache.Find(std::to_string(i)).entry ? 1 : 0;
  EXPECT_LE(kept, kMi / kValueBytes);
  EXPECT_GE(kept, kMi / (2 * kValueBytes)) << "most of the room is used";
}

TEST(EntryCacheTest, WhatIsUsedOutlivesWhatIsNot) {
  EntryCache cache(EntryCache::SetBytes());  // one set
  Load(cache, "used", EntryOf("x"));
  for (int i = 0; i < 1000; ++i) {
    Load(cache, std::to_string(i), EntryOf("y"));
    ASSERT_NE(nullptr, cache.Find("used").entry) << i;
  }
  EXPECT_EQ(nullptr, cache.Find("0").entry);
}

TEST(EntryCacheTest, LargeEntriesDoNotPushOthersOut) {
  EntryCache cache(EntryCache::SetBytes());
  Load(cache, "small", EntryOf("x"));
  Load(cache, "large", EntryOf(std::string(EntryCache::SetBytes(), 'x')));
  EXPECT_EQ(nullptr, cache.Find("large").entry);
  EXPECT_NE(nullptr, cache.Find("small").entry);
}

TEST(EntryCacheTest, WithoutRoomThereIsNoCache) {
  EntryCache cache(0);
  Load(cache, "a", EntryOf("x"));
  Write(cache, "b", EntryOf("x"));
  EXPECT_EQ(nullptr, cache.Find("a").entry);
  EXPECT_EQ(nullptr, cache.Find("b").entry);
  EXPECT_EQ(0u, cache.hits());
}

// Writers and readers of few keys in one set. What a reader got, any reader that begins later gets or something newer.
TEST(EntryCacheTest, NobodyReadsBackwards) {
  constexpr std::size_t kKeys = 4;
  constexpr Version kWrites = 20'000;
  EntryCache cache(EntryCache::SetBytes());
  struct Row {
    std::mutex mutex;  // the database's
    EntryPtr stored;
    std::atomic<Version> seen{0};
  };
  std::array<Row, kKeys> rows;
  const auto database = [&](std::size_t key) {
    const std::lock_guard lock(rows[key].mutex);
    return rows[key].stored;
  };
  std::atomic<std::size_t> writing{kKeys};
  std::atomic<std::uint64_t> backwards{0};
  std::vector<std::jthread> threads;
  for (std::size_t key = 0; key < kKeys; ++key) {
    threads.emplace_back([&, key] {  // the one writer of the key
      const std::string name = std::to_string(key);
      for (Version version = 1; version <= kWrites; ++version) {
        const EntryPtr entry = version % 7 == 0 ? nullptr : EntryOf("x", version);
        cache.BeginWrite(name);
        {
          const std::lock_guard lock(rows[key].mutex);
          rows[key].stored = entry;
        }
        cache.EndWrite(name, entry);
      }
      --writing;
    });
  }
  for (int reader = 0; reader < 3; ++reader) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; writing > 0; ++i) {
        Row& row = rows[i % kKeys];
        const std::string name = std::to_string(i % kKeys);
        const Version at_least = row.seen;
        EntryCache::Found found = cache.Find(name);
        if (!found.entry) {
          found.entry = database(i % kKeys);
          cache.Fill(name, found.entry, found.ticket);
        }
        if (!found.entry) continue;
        if (found.entry->version < at_least) ++backwards;
        Version seen = row.seen;
        while (seen < found.entry->version && !row.seen.compare_exchange_weak(seen, found.entry->version)) {
        }
      }
    });
  }
  threads.clear();
  EXPECT_EQ(0u, backwards);
  for (std::size_t key = 0; key < kKeys; ++key) {
    const EntryPtr cached = cache.Find(std::to_string(key)).entry;
    EXPECT_TRUE(!cached || cached == rows[key].stored) << key;
  }
}

}  // namespace
}  // namespace holdfast::storage
