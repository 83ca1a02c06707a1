#include "service/backends/memory/shard.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace holdfast::storage {
namespace {

KeptEntry Expiring(std::optional<Timestamp> expires_at) {
  auto entry = std::make_shared<Entry>();
  entry->expires_at = expires_at;
  return {std::move(entry)};
}

Timestamp At(int second) {
  return Timestamp{std::chrono::seconds{second}};
}

std::vector<std::string> Walked(const Shard& shard, const KeyRange& range, bool descending,
                                std::optional<std::string> after, std::size_t most, bool expect_exhausted) {
  std::vector<std::string> keys;
  const bool exhausted = shard.Walk(range, descending, after, most, [&](const Record& record) {
    keys.emplace_back(record.key());
    return true;
  });
  EXPECT_EQ(expect_exhausted, exhausted);
  return keys;
}

using Keys = std::vector<std::string>;

TEST(MemoryShard, WalksInOrderWithinBounds) {
  Shard shard;
  for (const char* key : {"d", "a", "c", "b"}) shard.Store(HashedKey(key), Expiring(std::nullopt));
  EXPECT_EQ((Keys{"a", "b", "c", "d"}), Walked(shard, KeyRange::All(), false, {}, 9, true));
  EXPECT_EQ((Keys{"d", "c", "b", "a"}), Walked(shard, KeyRange::All(), true, {}, 9, true));
  EXPECT_EQ((Keys{"a", "b"}), Walked(shard, KeyRange::All(), false, {}, 2, false));
  EXPECT_EQ((Keys{"a", "b", "c", "d"}), Walked(shard, KeyRange::All(), false, {}, 4, true));
  EXPECT_EQ((Keys{"c"}), Walked(shard, {"b", "d"}, false, "b", 9, true));
  EXPECT_EQ((Keys{"b"}), Walked(shard, {"b", "d"}, true, "c", 9, true));
  EXPECT_EQ((Keys{"c", "b"}), Walked(shard, {"b", "d"}, true, "zz", 9, true));
  EXPECT_EQ(Keys{}, Walked(shard, {"b", "d"}, false, "d", 9, true));
  EXPECT_EQ(Keys{}, Walked(shard, {"b", "d"}, true, "b", 9, true));
  EXPECT_EQ(Keys{}, Walked(shard, {"d", "b"}, false, {}, 9, true));
}

TEST(MemoryShard, TheExpiryIndexFollowsEveryChange) {
  Shard shard;
  shard.Store(HashedKey("a"), Expiring(At(1)));
  shard.Store(HashedKey("b"), Expiring(At(2)));
  shard.Store(HashedKey("c"), Expiring(At(3)));
  EXPECT_EQ((Keys{"a", "b"}), shard.Expired(At(2), 9));
  EXPECT_EQ((Keys{"a"}), shard.Expired(At(2), 1));
  shard.Store(HashedKey("a"), Expiring(std::nullopt));
  shard.Store(HashedKey("b"), Expiring(At(9)));
  EXPECT_EQ(Keys{}, shard.Expired(At(2), 9));
  shard.Erase(HashedKey("c"));
  shard.Erase(HashedKey("none"));
  EXPECT_EQ((Keys{"b"}), shard.Expired(At(99), 9));
  EXPECT_EQ(2u, shard.size());
  shard.Erase(HashedKey("b"));
  EXPECT_FALSE(shard.has_expiring());
  shard.Clear();
  EXPECT_EQ(nullptr, shard.FindRecord(HashedKey("a")));
}

TEST(MemoryShard, TheCandidatesFollowEveryChange) {
  std::mt19937 random(1);
  Shard shard;
  std::set<std::string> model;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = std::to_string(random() % 300);
    const HashedKey hashed(key);
    if (random() % 3 == 0) {
      shard.Erase(hashed);
      model.erase(key);
    } else {
      const bool candidate = random() % 2 == 0;
      shard.SetCandidate(shard.Store(hashed, Expiring(std::nullopt)), candidate);
      candidate ? (void)model.insert(key) : (void)model.erase(key);
    }
    ASSERT_EQ(model.size(), shard.candidates()) << "step " << i;
  }
  std::set<std::string> found;
  for (std::size_t i = 0; i < shard.candidates(); ++i) found.emplace(shard.Candidate(i).key());
  EXPECT_EQ(model, found);
  shard.Clear();
  EXPECT_EQ(0u, shard.candidates());
}

TEST(MemoryShard, TheFirstToExpireIsKnown) {
  Shard shard;
  EXPECT_EQ(std::nullopt, shard.FirstExpired(At(9)));
  shard.Store(HashedKey("a"), Expiring(std::nullopt));
  shard.Store(HashedKey("b"), Expiring(At(5)));
  shard.Store(HashedKey("c"), Expiring(At(3)));
  EXPECT_EQ(std::nullopt, shard.FirstExpired(At(2)));
  EXPECT_EQ("c", shard.FirstExpired(At(3)));
  shard.Erase(HashedKey("c"));
  EXPECT_EQ("b", shard.FirstExpired(At(9)));
}

// A key that is written again and again while a snapshot waits must not fill memory.
TEST(MemoryShard, AMomentKeepsWhatAKeyHadFirstAndOnce) {
  Shard shard;
  const KeptEntry first = Expiring(At(1));
  shard.Store(HashedKey("hot"), first);
  ShardMoment moment;
  shard.Remember(&moment);
  for (int write = 0; write < 100'000; ++write) {
    shard.Store(HashedKey("hot"), Expiring(At(2)));
    shard.Erase(HashedKey(write % 2 == 0 ? "hot" : "other"));
    shard.Store(HashedKey("other"), Expiring(At(3)));
    ASSERT_LE(moment.changed.size(), ShardMoment::kCompactFirst);
  }
  Compact(&moment.changed);
  ASSERT_EQ(moment.changed.size(), 2U);
  EXPECT_EQ(moment.changed[0].first, "hot");
  EXPECT_EQ(moment.changed[0].second.entry, first.entry);
  EXPECT_EQ(moment.changed[1].first, "other");
  EXPECT_EQ(moment.changed[1].second.entry, nullptr);
  shard.Forget(&moment);
  shard.Erase(HashedKey("other"));
  EXPECT_EQ(moment.changed.size(), 2U);
}

KeptEntry OfVersion(Version version) {
  auto entry = std::make_shared<Entry>();
  entry->version = version;
  return {std::move(entry)};
}

// Its writers pay for the first write of a key only.
TEST(MemoryShard, WhatCameBehindAMomentIsNotKeptForIt) {
  Shard shard;
  const KeptEntry first = OfVersion(7);
  shard.Store(HashedKey("old"), first);
  ShardMoment moment;
  shard.Remember(&moment);
  for (Version version = 8; version < 100; ++version) {
    shard.Store(HashedKey("old"), OfVersion(version));
    shard.Store(HashedKey("new"), OfVersion(version));
  }
  ASSERT_EQ(moment.changed.size(), 2U);
  EXPECT_EQ(moment.changed[0].second.entry, first.entry);
  EXPECT_EQ(moment.changed[1].second.entry, nullptr);
  // A later one has not seen them.
  ShardMoment later;
  shard.Remember(&later);
  shard.Store(HashedKey("old"), OfVersion(100));
  EXPECT_EQ(moment.changed.size(), 2U);
  ASSERT_EQ(later.changed.size(), 1U);
  EXPECT_EQ(later.changed[0].second.entry->version, 99U);
  shard.Forget(&moment);
  shard.Forget(&later);
}

// Versions that were decided elsewhere come in any order: in a model, moments find what there was at their beginning.
TEST(MemoryShard, AMomentFindsWhatThereWasWhateverTheVersions) {
  std::mt19937 random(1);
  for (int story = 0; story < 2'000; ++story) {
    Shard shard;
    std::map<std::string, EntryPtr> model;
    std::map<std::string, EntryPtr> then;
    std::map<std::string, EntryPtr> seen;
    ShardMoment moment;
    for (int step = 0; step < 40; ++step) {
      if (step == 20) {
        shard.Remember(&moment);
        then = model;
      }
      const std::string key(1, static_cast<char>('a' + random() % 5));
      if (random() % 4 == 0) {
        shard.Erase(HashedKey(key));
        model.erase(key);
      } else {
        const KeptEntry kept = OfVersion(1 + random() % 30);
        shard.Store(HashedKey(key), kept);
        model[key] = kept.entry;
      }
    }
    seen = model;
    Compact(&moment.changed);
    for (const auto& [key, before] : moment.changed) seen[key] = before.entry;
    std::erase_if(seen, [](const auto& item) { return item.second == nullptr; });
    ASSERT_EQ(seen, then) << "story " << story;
    shard.Forget(&moment);
  }
}

}  // namespace
}  // namespace holdfast::storage
