#include "service/backends/redis/partitions.h"

#include <gtest/gtest.h>

#include <set>

#include "base/redis/slot.h"
#include "service/storage/key_space.h"

namespace holdfast::storage::redis_backend {
namespace {

RedisOptions OptionsFor(int partitions, ClusterSpread spread) {
  RedisOptions options;
  options.client.target = redis::ParseUrl("redis+cluster://cache").value();
  options.cluster_partitions = partitions;
  options.cluster_spread = spread;
  return options;
}

std::string Key(Room room, std::string_view key, std::string_view name_space = "default") {
  return KeySpace("main", name_space).In(room).Wrap(key);
}

TEST(RedisPartitions, TagsLieInTheMiddleOfEqualPartsOfTheSlots) {
  for (const int count : {1, 2, 3, 7, 16, kMaxClusterPartitions}) {
    const Partitions partitions(OptionsFor(count, ClusterSpread::kKey));
    ASSERT_EQ(partitions.size(), static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      const std::string& prefix = partitions.prefix(static_cast<std::size_t>(i));
      EXPECT_EQ(redis::SlotOf(prefix), (2 * i + 1) * redis::kSlots / (2 * count)) << prefix;
      // Whatever stands behind it, braces too.
      EXPECT_EQ(redis::SlotOf(prefix + "e:{other}"), redis::SlotOf(prefix));
    }
  }
}

// A published format: other tags would look for the data where they are not.
TEST(RedisPartitions, TagsAreWhatTheyEverWere) {
  EXPECT_EQ(PartitionTags(4), (std::vector<std::string>{"48576", "1296", "2821", "16248"}));
}

TEST(RedisPartitions, OnOneServerThereIsOneWithoutATag) {
  RedisOptions options = OptionsFor(16, ClusterSpread::kKey);
  options.client.target = redis::ParseUrl("redis://cache").value();
  const Partitions partitions(options);
  ASSERT_EQ(partitions.size(), 1u);
  EXPECT_EQ(partitions.prefix(0), "holdfast:");
  EXPECT_EQ(partitions.Of("any"), 0u);
  EXPECT_EQ(partitions.Of(KeyRange::All()), 0u);
}

TEST(RedisPartitions, KeysSpreadEvenly) {
  const Partitions partitions(OptionsFor(16, ClusterSpread::kKey));
  std::vector<int> found(16);
  for (int i = 0; i < 16'000; ++i) ++found[partitions.Of(Key(Room::kKeys, "key" + std::to_string(i)))];
  for (const int keys : found) {
    EXPECT_GT(keys, 800);
    EXPECT_LT(keys, 1'200);
  }
}

TEST(RedisPartitions, WhatBelongsTogetherLiesTogether) {
  const Partitions partitions(OptionsFor(128, ClusterSpread::kKey));
  EXPECT_EQ(partitions.Of(Key(Room::kKeys, "{order 7}.head")), partitions.Of(Key(Room::kKeys, "rows of {order 7}")));
  EXPECT_EQ(partitions.Of(Key(Room::kLocks, "a")), partitions.Of(Key(Room::kFences, "a")));
  EXPECT_EQ(partitions.Of(Key(Room::kFences, "{order 7}")), partitions.Of(Key(Room::kKeys, "{order 7}.head")));
  EXPECT_EQ(partitions.Of(Key(Room::kDocuments, "1")), partitions.Of(Key(Room::kIndexes, "2")));
  EXPECT_EQ(partitions.Of(Key(Room::kDocuments, "1")), partitions.Of(Key(Room::kCollections, "names")));
  // Of another tenant they lie elsewhere.
  std::set<std::size_t> places;
  for (const char* tenant : {"a", "b", "c", "d", "e", "f"})
    places.insert(partitions.Of(Key(Room::kKeys, "{x}", tenant)));
  EXPECT_GT(places.size(), 3u);
}

TEST(RedisPartitions, ANamespaceLiesTogetherWhenToldSo) {
  const Partitions partitions(OptionsFor(16, ClusterSpread::kNamespace));
  std::set<std::size_t> places;
  for (int i = 0; i < 100; ++i) {
    const std::string tenant = "t" + std::to_string(i);
    const std::size_t place = partitions.Of(Key(Room::kKeys, "a", tenant));
    places.insert(place);
    for (const Room room : {Room::kKeys, Room::kLocks, Room::kDocuments, Room::kReplays}) {
      EXPECT_EQ(partitions.Of(Key(room, "b", tenant)), place);
    }
    const KeySpace keys = KeySpace("main", tenant).In(Room::kKeys);
    EXPECT_EQ(partitions.Of(keys.Wrap(KeyRange::All())), place);
    EXPECT_EQ(partitions.Of(keys.Wrap(KeyRange::Prefix("a"))), place);
  }
  EXPECT_GT(places.size(), 12u);
  EXPECT_EQ(partitions.Of(KeyRange::All()), std::nullopt);
  EXPECT_EQ(partitions.Of(KeyRange{Key(Room::kKeys, "a", "t1"), Key(Room::kKeys, "a", "t2")}), std::nullopt);
}

TEST(RedisPartitions, OnlyRangesOfOnePartitionAreOnes) {
  const Partitions partitions(OptionsFor(16, ClusterSpread::kKey));
  const KeySpace space("main", "default");
  EXPECT_EQ(partitions.Of(space.In(Room::kKeys).Wrap(KeyRange::All())), std::nullopt);
  EXPECT_EQ(partitions.Of(space.In(Room::kIndexes).Wrap(KeyRange::Prefix("1"))),
            partitions.Of(Key(Room::kIndexes, "1")));
  EXPECT_EQ(partitions.Of(KeyRange{Key(Room::kIndexes, "a"), std::nullopt}), std::nullopt);
  EXPECT_EQ(partitions.Of(KeyRange{Key(Room::kCollections, "a"), Key(Room::kKeys, "a")}), std::nullopt);
}

TEST(RedisPartitions, ATransactionHasAPartitionWhenAllOfItsKeysDo) {
  const Partitions partitions(OptionsFor(16, ClusterSpread::kKey));
  Transaction transaction;
  EXPECT_EQ(partitions.Of(transaction), 0u);
  transaction.conditions.push_back({Key(Room::kFences, "{x}"), Precondition::NotFenced(1)});
  transaction.then.push_back(Operation::Put(Key(Room::kKeys, "{x}a"), "1"));
  EXPECT_EQ(partitions.Of(transaction), partitions.Of(Key(Room::kKeys, "{x}a")));
  // Of the branch that is not taken as well: nobody knows which it will be.
  std::string elsewhere;
  for (int i = 0; elsewhere.empty(); ++i) {
    const std::string key = Key(Room::kKeys, std::to_string(i));
    if (partitions.Of(key) != partitions.Of(transaction)) elsewhere = key;
  }
  transaction.otherwise.push_back(Operation::Get(elsewhere));
  EXPECT_EQ(partitions.Of(transaction), std::nullopt);
}

}  // namespace
}  // namespace holdfast::storage::redis_backend
