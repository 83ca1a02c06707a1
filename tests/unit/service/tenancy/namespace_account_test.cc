#include "service/tenancy/namespace_account.h"

#include <gtest/gtest.h>

namespace holdfast::tenancy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr storage::KeyPlace kKey{"main", "team-a", storage::Room::kKeys, "key"};

Quota Bytes(std::uint64_t bytes) {
  return {bytes, std::nullopt, std::nullopt};
}

TEST(Amount, OfAnEntryIsAllItsBytes) {
  storage::Entry entry;
  entry.value = "12345";
  entry.content_type = "text/plain";
  entry.metadata = "{}";
  entry.tags = {"a", "bc"};
  EXPECT_EQ(AmountOf(kKey, entry, entry.value.size()), (Amount{3 + 5 + 10 + 2 + 3, 1}));
}

TEST(Amount, ByRooms) {
  storage::Entry entry;
  entry.value = "12345";
  storage::KeyPlace place = kKey;
  place.room = storage::Room::kDocuments;
  EXPECT_EQ(AmountOf(place, entry, 5), (Amount{8, 1}));
  place.room = storage::Room::kIndexes;
  EXPECT_EQ(AmountOf(place, entry, 5), (Amount{8, 0}));
  place.room = storage::Room::kSystem;
  EXPECT_EQ(AmountOf(place, entry, 5), Amount{});
}

TEST(Amount, OfAnOperationBoundsItsEntry) {
  EXPECT_EQ(AmountOf(kKey, storage::Operation::Put("", "12345")), (Amount{8, 1}));
  EXPECT_EQ(AmountOf(kKey, storage::Operation::Increment("", 1)), (Amount{23, 1}));
  EXPECT_EQ(AmountOf(kKey, storage::Operation::Delete("")), Amount{});
  EXPECT_EQ(AmountOf(kKey, storage::Operation::Touch("", storage::Expiry::Never())), Amount{});
}

TEST(NamespaceAccount, WhatIsSetAsideCounts) {
  NamespaceAccount account("team-a");
  account.SetQuota(Bytes(100));
  EXPECT_TRUE(account.limited());
  account.Add({60, 1});
  EXPECT_TRUE(account.Reserve({40, 1}));
  EXPECT_FALSE(account.Reserve({1, 1}));
  account.Release({40, 1});
  EXPECT_TRUE(account.Reserve({1, 1}));
  EXPECT_EQ(account.usage(), (Amount{60, 1}));
}

TEST(NamespaceAccount, WhatDoesNotGrowAlwaysFits) {
  NamespaceAccount account("team-a");
  account.Add({200, 5});
  account.SetQuota({100, 2, std::nullopt});
  EXPECT_TRUE(account.Reserve({0, 0}));
  EXPECT_TRUE(account.Reserve({-10, 0}));
  EXPECT_FALSE(account.Reserve({1, 0}));
  EXPECT_FALSE(account.Reserve({-10, 1}));
  account.SetQuota({});
  EXPECT_FALSE(account.limited());
  EXPECT_TRUE(account.Reserve({1'000'000, 1'000}));
}

TEST(NamespaceAccount, QuotasComeBack) {
  NamespaceAccount account("team-a");
  EXPECT_EQ(account.quota(), Quota{});
  const Quota quota{1, 0, 3};
  account.SetQuota(quota);
  EXPECT_EQ(account.quota(), quota);
}

TEST(NamespaceAccount, ASecondsWorthOfRequestsThenTheRate) {
  NamespaceAccount account("team-a");
  MonotonicTime now{seconds{1000}};
  EXPECT_FALSE(account.TakeRequest(now));
  account.SetQuota({std::nullopt, std::nullopt, 10});
  EXPECT_FALSE(account.limited());
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(account.TakeRequest(now)) << i;
  const auto wait = account.TakeRequest(now);
  ASSERT_TRUE(wait.has_value());
  EXPECT_EQ(*wait, milliseconds{100});
  // A refused request uses nothing up.
  EXPECT_EQ(account.TakeRequest(now), milliseconds{100});
  now += *wait;
  EXPECT_FALSE(account.TakeRequest(now));
  EXPECT_TRUE(account.TakeRequest(now));
  now += seconds{60};
  int allowed = 0;
  while (!account.TakeRequest(now)) ++allowed;
  EXPECT_EQ(allowed, 10);
}

TEST(NamespaceAccount, ARateOfZeroLetsNothingThrough) {
  NamespaceAccount account("team-a");
  account.SetQuota({std::nullopt, std::nullopt, 0});
  EXPECT_TRUE(account.TakeRequest(MonotonicTime{seconds{1}}));
}

}  // namespace
}  // namespace holdfast::tenancy
