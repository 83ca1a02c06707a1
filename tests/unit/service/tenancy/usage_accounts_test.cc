#include "service/tenancy/usage_accounts.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/service/tenancy/quota_harness.h"

namespace holdfast::tenancy {
namespace {

using std::chrono::seconds;
using storage::Expiry;
using storage::Operation;

class UsageAccountsTest : public testing::Test {
 protected:
  UsageAccountsTest() : harness_(storage::MakeMemoryBackend({}, clock_), clock_) {}

  void Put(std::string_view name_space, std::string_view key, std::string value, Expiry expiry = {}) {
    ASSERT_TRUE(harness_.Do(Operation::Put(KeyIn(name_space, key), std::move(value), {}, expiry)).status.ok());
  }
  // Until the sweeper has removed what has expired.
  void WaitForUsage(std::string_view name_space, const Amount& wanted) {
    const Deadline deadline = Deadline::After(seconds{60});
    while (harness_.Usage(name_space) != wanted && !deadline.Expired()) {
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    EXPECT_EQ(harness_.Usage(name_space), wanted);
  }

  ManualClock clock_;
  QuotaHarness harness_;
};

TEST_F(UsageAccountsTest, FollowsEveryKindOfWrite) {
  harness_.Count();
  Put("a", "k1", "12345");
  EXPECT_EQ(harness_.Usage("a"), (Amount{7, 1}));
  Put("a", "k1", "1");
  EXPECT_EQ(harness_.Usage("a"), (Amount{3, 1}));
  Put("a", "k2", "12");
  Put("b", "k", "123");
  EXPECT_EQ(harness_.Usage("a"), (Amount{7, 2}));
  EXPECT_EQ(harness_.Usage("b"), (Amount{4, 1}));
  ASSERT_TRUE(harness_.Do(Operation::Increment(KeyIn("a", "n"), 100)).status.ok());
  EXPECT_EQ(harness_.Usage("a"), (Amount{11, 3}));
  ASSERT_TRUE(harness_.Do(Operation::Take(KeyIn("a", "n"))).status.ok());
  ASSERT_TRUE(harness_.Do(Operation::Touch(KeyIn("a", "k1"), Expiry::After(seconds{100}))).status.ok());
  ASSERT_TRUE(harness_.Do(Operation::Delete(KeyIn("a", "k2"))).status.ok());
  EXPECT_EQ(harness_.Usage("a"), (Amount{3, 1}));
  ASSERT_TRUE(harness_.limited->DeleteRange(storage::KeyRange::All(), Deadline::Infinite()).ok());
  EXPECT_EQ(harness_.Usage("a"), Amount{});
  EXPECT_EQ(harness_.Usage("b"), Amount{});
}

TEST_F(UsageAccountsTest, WhatIsNoTenantsIsNotCounted) {
  harness_.Count();
  ASSERT_TRUE(harness_.Do(Operation::Put("no place at all", "x")).status.ok());
  ASSERT_TRUE(harness_.Do(Operation::Put(KeyIn("", "row", storage::Room::kSystem), "x")).status.ok());
  EXPECT_EQ(harness_.Usage(""), Amount{});
  EXPECT_EQ(harness_.accounts->Find("nobody"), nullptr);
}

TEST_F(UsageAccountsTest, ExpiredEntriesCountUntilTheyAreRemoved) {
  harness_.Count();
  clock_.Advance(seconds{5});
  Put("a", "k1", "12345", Expiry::After(seconds{10}));
  Put("a", "k2", "1");
  EXPECT_EQ(harness_.Usage("a"), (Amount{10, 2}));
  clock_.Advance(seconds{11});
  WaitForUsage("a", {3, 1});
  // Another life under the same key.
  Put("a", "k1", "1");
  EXPECT_EQ(harness_.Usage("a"), (Amount{6, 2}));
}

TEST_F(UsageAccountsTest, ACountAtTheStartIsTheSame) {
  for (int i = 0; i < 25'000; ++i) Put(i % 2 == 0 ? "a" : "b", "key" + std::to_string(i), std::string(i % 7, 'x'));
  EXPECT_EQ(harness_.Usage("a"), Amount{});
  harness_.Count();
  EXPECT_EQ(harness_.Usage("a"), harness_.Recounted("a"));
  EXPECT_EQ(harness_.Usage("b"), harness_.Recounted("b"));
  EXPECT_EQ(harness_.Usage("a").keys, 12'500);
}

// What had expired at the count but was still there is removed later; it was in no account.
TEST_F(UsageAccountsTest, WhatExpiresAroundTheCountIsNeitherAddedNorTakenOff) {
  Put("a", "gone", "12345", Expiry::After(seconds{1}));
  Put("a", "about to go", "12345", Expiry::After(std::chrono::milliseconds{1500}));
  Put("a", "later", "1", Expiry::After(seconds{60}));
  Put("a", "stays", "1");
  clock_.Advance(seconds{1});
  harness_.Count();
  EXPECT_EQ(harness_.Usage("a"), (Amount{28, 3})) << "gone is not among them";
  clock_.Advance(seconds{10});
  WaitForUsage("a", {12, 2});
  // Overwritten before the sweeper saw it, or given a longer life: counted from then on.
  Put("a", "about to go", "1");
  EXPECT_EQ(harness_.Usage("a"), (Amount{24, 3}));
  clock_.Advance(seconds{60});
  WaitForUsage("a", {18, 2});
  EXPECT_EQ(harness_.Usage("a"), harness_.Recounted("a"));
}

TEST_F(UsageAccountsTest, AnAccountIsMadeOnce) {
  std::vector<NamespaceAccount*> seen(8);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 500; ++n) {
        NamespaceAccount& account = harness_.accounts->Get("ns" + std::to_string(n));
        account.Add({1, 0});
        if (n == 250) seen[i] = &account;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (NamespaceAccount* account : seen) EXPECT_EQ(account, seen[0]);
  int accounts = 0;
  harness_.accounts->ForEach([&](NamespaceAccount& account) {
    ++accounts;
    EXPECT_EQ(account.usage().bytes, static_cast<std::int64_t>(seen.size())) << account.name_space();
  });
  EXPECT_EQ(accounts, 500);
}

}  // namespace
}  // namespace holdfast::tenancy
