#include <thread>

#include "tests/conformance/suite.h"

namespace holdfast::storage::conformance {
namespace {

using std::chrono::seconds;

// Keys of a transaction share a {tag}, which is all that a backend can ask for. Without one it does the whole of it, or
// says that it does not.
TEST_P(Conformance, ATransactionOverAnyKeysIsDoneWholeOrRefusedWhole) {
  Transaction transaction;
  for (int i = 0; i < 50; ++i) transaction.then.push_back(Operation::Put("key" + std::to_string(i), "1"));
  if (backend().capabilities().transactions_span_keys) {
    EXPECT_TRUE(both().Transact(transaction).applied);
  } else {
    const Result<TransactionResult> refused = backend().Transact(transaction, Deadline::Infinite());
    EXPECT_EQ("not_supported", CodeName(refused));
    EXPECT_NE(std::string::npos, refused.error().message().find("{tag}")) << refused.error().message();
    // What is wrong with it in any case is said first.
    transaction.otherwise = {Operation::Put("", "1")};
    EXPECT_EQ("invalid_argument", CodeName(backend().Transact(transaction, Deadline::Infinite())));
  }
  both().ScanAll(KeyRange::All(), 7);
}

TEST_P(Conformance, ATransactionTakesTheBranchItsConditionsSay) {
  const Version version = both().Execute(Operation::Put("{t}a", "1")).version;
  Transaction transaction;
  transaction.then = {Operation::Put("{t}b", "then")};
  transaction.otherwise = {Operation::Put("{t}c", "otherwise"), Operation::Get("{t}a")};
  transaction.conditions = {{"{t}a", Precondition::VersionIs(version)}, {"{t}z", Precondition::Absent()}};
  EXPECT_TRUE(both().Transact(transaction).conditions_held);
  transaction.conditions = {{"{t}a", Precondition::ValueIs("1")}, {"{t}z", Precondition::Present()}};
  EXPECT_FALSE(both().Transact(transaction).conditions_held);
  transaction.conditions = {};
  EXPECT_TRUE(both().Transact(transaction).conditions_held);
  EXPECT_TRUE(both().Transact(Transaction{}).applied);
  both().ReadAll();
}

TEST_P(Conformance, TheOperationsOfATransactionSeeEachOther) {
  Transaction transaction;
  transaction.then = {
      Operation::Get("{t}n"),          Operation::Increment("{t}n", 2),
      Operation::Increment("{t}n", 3), Operation::Get("{t}n"),
      Operation::Put("{t}m", "x"),     Operation::Take("{t}m"),
      Operation::Get("{t}m"),          Operation::Put("{t}m", "y", Precondition::Absent(), Expiry::After(seconds{5})),
      Operation::Delete("{t}none"),    Operation::Touch("{t}m", Expiry::After(seconds{9}))};
  const TransactionResult result = both().Transact(transaction);
  EXPECT_TRUE(result.applied);
  EXPECT_EQ(5, result.results.at(2).number);
  both().ReadAll();
  both().ScanAll(KeyRange::All(), 10);
}

TEST_P(Conformance, AFailingOperationUndoesTheWholeTransaction) {
  both().Execute(Operation::Put("{t}text", "no number"));
  for (const Operation& failing :
       {Operation::Increment("{t}text", 1), Operation::Put("{t}text", "x", Precondition::Absent()),
        Operation::Take("{t}none"), Operation::Touch("{t}none", Expiry::Never()),
        Operation::Delete("{t}a", Precondition::ValueIs("2"))}) {
    Transaction transaction;
    transaction.then = {Operation::Put("{t}a", "1"), Operation::Delete("{t}text"),
                        Operation::Put("{t}text", "no number"), failing, Operation::Put("{t}b", "1")};
    const TransactionResult result = both().Transact(transaction);
    EXPECT_FALSE(result.applied) << Describe(failing);
    both().ReadAll();
    EXPECT_EQ("not_found", CodeName(both().Execute(Operation::Get("{t}a")).status));
  }
}

TEST_P(Conformance, AnInvalidOperationInEitherBranchRefusesTheTransaction) {
  Transaction transaction;
  transaction.then = {Operation::Put("{t}a", "1")};
  transaction.otherwise = {Operation::Put("", "1")};
  EXPECT_EQ("invalid_argument", CodeName(backend().Transact(transaction, Deadline::Infinite())));
  EXPECT_EQ("not_found", CodeName(Run(Operation::Get("{t}a")).status));
}

TEST_P(Conformance, ConditionsSeeExpiry) {
  both().Execute(Operation::Put("{t}lock", "me", {}, Expiry::After(seconds{5})));
  Transaction transaction;
  transaction.conditions = {{"{t}lock", Precondition::Absent()}};
  transaction.then = {Operation::Put("{t}lock", "you", {}, Expiry::After(seconds{5}))};
  EXPECT_FALSE(both().Transact(transaction).conditions_held);
  clock().Advance(seconds{5});
  EXPECT_TRUE(both().Transact(transaction).conditions_held);
  EXPECT_EQ("you", both().Execute(Operation::Get("{t}lock")).entry->value);
}

// Money moves between accounts by transactions that read, check and write; its sum must never be seen to change.
TEST_P(Conformance, ConcurrentTransfersKeepTheSum) {
  constexpr int kAccounts = 4;
  constexpr int kTransfers = 50;
  const auto account = [](int i) { return "{bank}" + std::to_string(i % kAccounts); };
  for (int i = 0; i < kAccounts; ++i) Run(Operation::Put(account(i), "100"));
  const auto balance = [&](const TransactionResult& result, std::size_t i) {
    return std::stoll(result.results.at(i).entry->value);
  };
  Transaction read_all;
  for (int i = 0; i < kAccounts; ++i) read_all.then.push_back(Operation::Get(account(i)));

  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kTransfers; ++i) {
        Transaction transfer;
        transfer.then = {Operation::Increment(account(i + thread), -1), Operation::Increment(account(i * 3 + 1), 1)};
        const Result<TransactionResult> moved = backend().Transact(transfer, Deadline::Infinite());
        EXPECT_TRUE(moved.ok() && moved->applied);
        const Result<TransactionResult> seen = backend().Transact(read_all, Deadline::Infinite());
        ASSERT_TRUE(seen.ok());
        long long sum = 0;
        for (std::size_t k = 0; k < kAccounts; ++k) sum += balance(*seen, k);
        EXPECT_EQ(400, sum);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace holdfast::storage::conformance
