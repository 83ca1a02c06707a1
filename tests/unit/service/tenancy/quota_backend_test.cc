#include "service/tenancy/quota_backend.h"

#include <gtest/gtest.h>

#include "tests/unit/service/tenancy/quota_harness.h"

namespace holdfast::tenancy {
namespace {

using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

class QuotaBackendTest : public testing::Test {
 protected:
  QuotaBackendTest() : harness_(storage::MakeMemoryBackend({}, clock_), clock_) { harness_.Count(); }

  void Limit(std::optional<std::uint64_t> bytes, std::optional<std::uint64_t> keys) {
    harness_.accounts->SetQuota("a", {bytes, keys, std::nullopt});
  }
  static Operation Put(std::string_view key, std::size_t bytes, Precondition precondition = {}) {
    return Operation::Put(KeyIn("a", key), std::string(bytes, 'x'), std::move(precondition));
  }
  bool Ok(const Operation& operation) { return harness_.Do(operation).status.ok(); }
  bool Refused(const Operation& operation) { return harness_.CodeOf(operation) == ErrorCode::kResourceExhausted; }

  ManualClock clock_;
  QuotaHarness harness_;
};

TEST_F(QuotaBackendTest, BytesToTheLast) {
  Limit(10, std::nullopt);
  EXPECT_TRUE(Ok(Put("k", 9)));
  EXPECT_TRUE(Refused(Put("l", 0)));
  EXPECT_TRUE(Refused(Put("k", 10)));
  // The same size, smaller, gone: none of them grows.
  EXPECT_TRUE(Ok(Put("k", 9)));
  EXPECT_TRUE(Ok(Put("k", 5)));
  EXPECT_TRUE(Ok(Put("k", 9)));
  EXPECT_TRUE(Ok(Operation::Delete(KeyIn("a", "k"))));
  EXPECT_TRUE(Ok(Put("l", 9)));
}

TEST_F(QuotaBackendTest, KeysToTheLast) {
  Limit(std::nullopt, 2);
  EXPECT_TRUE(Ok(Put("k", 1)));
  EXPECT_TRUE(Ok(Put("l", 1)));
  EXPECT_TRUE(Refused(Put("m", 1)));
  EXPECT_TRUE(Ok(Put("l", 1000)));
  EXPECT_TRUE(Ok(Operation::Take(KeyIn("a", "k"))));
  EXPECT_TRUE(Ok(Put("m", 1)));
  // Rooms other than keys and documents do not count as keys.
  EXPECT_TRUE(Ok(Operation::Put(KeyIn("a", "lock", storage::Room::kLocks), "x")));
}

TEST_F(QuotaBackendTest, OtherNamespacesAreLeftAlone) {
  Limit(1, 1);
  EXPECT_TRUE(Refused(Put("key", 100)));
  EXPECT_TRUE(Ok(Operation::Put(KeyIn("b", "key"), std::string(100, 'x'))));
  EXPECT_TRUE(Ok(Operation::Put(KeyIn("", "row", storage::Room::kSystem), std::string(100, 'x'))));
}

TEST_F(QuotaBackendTest, Increments) {
  Limit(3, std::nullopt);
  // Up to 20 digits may come of it.
  EXPECT_TRUE(Refused(Operation::Increment(KeyIn("a", "n"), 1)));
  Limit(21, std::nullopt);
  EXPECT_TRUE(Ok(Operation::Increment(KeyIn("a", "n"), 1)));
  EXPECT_TRUE(Ok(Operation::Increment(KeyIn("a", "n"), 1)));
  EXPECT_EQ(harness_.Usage("a"), (Amount{2, 1}));
}

TEST_F(QuotaBackendTest, ALoweredQuotaRefusesGrowthOnly) {
  EXPECT_TRUE(Ok(Put("k", 100)));
  EXPECT_TRUE(Ok(Put("l", 100)));
  Limit(50, 1);
  EXPECT_TRUE(Ok(Put("k", 100)));
  EXPECT_TRUE(Ok(Put("k", 80)));
  EXPECT_TRUE(Refused(Put("k", 81)));
  Limit(std::nullopt, std::nullopt);
  EXPECT_TRUE(Ok(Put("k", 81)));
}

TEST_F(QuotaBackendTest, AFailedWriteGivesItsRoomBack) {
  Limit(10, std::nullopt);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(harness_.CodeOf(Put("k", 9, Precondition::Present())), ErrorCode::kVersionConflict);
  }
  EXPECT_TRUE(Ok(Put("k", 9)));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Refused(Put("l", 1)));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(harness_.CodeOf(Put("k", 9, Precondition::Absent())), ErrorCode::kAlreadyExists);
  }
  EXPECT_TRUE(Ok(Operation::Delete(KeyIn("a", "k"))));
  EXPECT_TRUE(Ok(Put("l", 9)));
}

TEST_F(QuotaBackendTest, OperationsOfABatchAreRefusedOneByOne) {
  Limit(20, std::nullopt);
  ASSERT_TRUE(Ok(Put("k", 9)));
  const std::vector<Operation> operations = {Put("l", 4),
                                             Operation::Get(KeyIn("a", "k")),
                                             Put("m", 4),  // 5 + 5 more fit
                                             Put("n", 0),
                                             Put("k", 9),
                                             Operation::Put(KeyIn("b", "free"), "x")};
  std::vector<OperationResult> results(operations.size());
  harness_.limited->Execute(operations, results, Deadline::Infinite());
  std::vector<bool> ok;
  for (const OperationResult& result : results) ok.push_back(result.status.ok());
  EXPECT_EQ(ok, (std::vector<bool>{true, true, true, false, true, true}));
  EXPECT_EQ(results[1].entry->value.size(), 9u);
  EXPECT_EQ(results[3].status.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(harness_.Usage("a"), (Amount{20, 3}));
  EXPECT_EQ(harness_.Usage("a"), harness_.Recounted("a"));
}

TEST_F(QuotaBackendTest, TransactionsAreRefusedWholeAndTheirDeletesCount) {
  Limit(10, 1);
  ASSERT_TRUE(Ok(Put("k", 9)));
  storage::Transaction moved;
  moved.then = {Operation::Delete(KeyIn("a", "k")), Put("l", 9)};
  const auto result = harness_.limited->Transact(moved, Deadline::Infinite());
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_TRUE(result->applied);
  EXPECT_EQ(harness_.Usage("a"), (Amount{10, 1}));

  storage::Transaction added;
  added.then = {Put("l", 1), Put("m", 1)};
  const auto refused = harness_.limited->Transact(added, Deadline::Infinite());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(harness_.Usage("a"), (Amount{10, 1}));

  // The branch that is not taken counts too: nobody knows before which it will be.
  storage::Transaction either;
  either.conditions = {{KeyIn("a", "l"), Precondition::Present()}};
  either.then = {Put("l", 1)};
  either.otherwise = {Put("m", 50)};
  EXPECT_FALSE(harness_.limited->Transact(either, Deadline::Infinite()).ok());
}

TEST_F(QuotaBackendTest, TheRefusalSaysWhatIsUsed) {
  Limit(10, 1);
  ASSERT_TRUE(Ok(Put("k", 9)));
  const std::string message = harness_.Do(Put("l", 1)).status.error().message();
  EXPECT_EQ(message, std::string("the namespace a uses 10 of 10 bytes and 1 of 1 keys and this write does not fit; "
                                 "delete something or have the quota raised"));
}

}  // namespace
}  // namespace holdfast::tenancy
