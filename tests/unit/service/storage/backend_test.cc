#include "service/storage/backend.h"

#include <gtest/gtest.h>

namespace holdfast::storage {
namespace {

// Every refusal names the field's limit, its bound and what to do.
TEST(Validate, MessagesNameLimitAndRemedy) {
  Limits limits;
  limits.max_key_bytes = 3;
  limits.max_value_bytes = 5;
  Operation put = Operation::Put("abcd", "v");
  EXPECT_EQ("key is 4 bytes, limits.key is 3: send less or raise the limit", Validate(put, limits).error().message());
  put = Operation::Put("abc", "123456");
  EXPECT_EQ("value is 6 bytes, limits.value is 5: send less or raise the limit",
            Validate(put, limits).error().message());
  EXPECT_EQ(ErrorCode::kResourceExhausted, Validate(put, limits).error().code());
  limits.max_operations = 2;
  EXPECT_EQ("3 operations given, limits.batch_operations is 2: split them or raise the limit",
            ValidateBatch(3, limits).error().message());
  EXPECT_TRUE(ValidateBatch(2, limits).ok());
}

TEST(Validate, ATransactionIsCountedAsAWhole) {
  Limits limits;
  limits.max_operations = 3;
  Transaction transaction;
  transaction.conditions = {{"k", Precondition::Absent()}};
  transaction.then = {Operation::Get("k")};
  transaction.otherwise = {Operation::Get("k")};
  EXPECT_TRUE(Validate(transaction, limits).ok());
  transaction.otherwise.push_back(Operation::Get("k"));
  EXPECT_FALSE(Validate(transaction, limits).ok());
}

TEST(FailAll, LeavesNothingOfAFormerResult) {
  std::vector<OperationResult> results(2);
  results[0].entry = std::make_shared<Entry>();
  results[0].version = 7;
  FailAll(results, Error(ErrorCode::kUnavailable, "closed"));
  for (const OperationResult& result : results) {
    EXPECT_FALSE(result.entry);
    EXPECT_EQ(0u, result.version);
    EXPECT_EQ(ErrorCode::kUnavailable, result.status.error().code());
  }
}

}  // namespace
}  // namespace holdfast::storage
