#include "tests/conformance/suite.h"

namespace holdfast::storage::conformance {
namespace {

using std::chrono::seconds;

TEST_P(Conformance, OperationsOnOneKeySeeEachOtherInOrder) {
  both().Execute({Operation::Get("k"), Operation::Put("k", "1", Precondition::Absent()), Operation::Get("k"),
                  Operation::Increment("k", 4), Operation::Put("k", "9", Precondition::ValueIs("5")),
                  Operation::Put("k", "no", Precondition::Absent()), Operation::Take("k"), Operation::Get("k"),
                  Operation::Increment("k", 1), Operation::Touch("k", Expiry::After(seconds{5})), Operation::Get("k")});
  both().ReadAll();
}

TEST_P(Conformance, AWriteAndItsUndoingLeaveNothing) {
  both().Execute({Operation::Put("k", "1", {}, Expiry::After(seconds{5})), Operation::Delete("k")});
  both().Execute({Operation::Put("k", "1"), Operation::Delete("k"), Operation::Put("k", "2")});
  both().Execute({Operation::Delete("k"), Operation::Put("k", "3"), Operation::Delete("k")});
  both().ReadAll();
  both().ScanAll(KeyRange::All(), 10);
}

TEST_P(Conformance, AFailingOperationFailsAlone) {
  both().Execute(Operation::Put("text", "no number"));
  const std::vector<OperationResult> results =
      both().Execute({Operation::Put("a", "1"), Operation::Put("", "empty key"), Operation::Increment("text", 1),
                      Operation::Get("none"), Operation::Put("text", "x", Precondition::Absent()),
                      Operation::Put("b", std::string((10u << 20) + 1, 'x')), Operation::Put("c", "3")});
  const std::vector<std::string> expected = {
      "ok", "invalid_argument", "failed_precondition", "not_found", "already_exists", "resource_exhausted", "ok"};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(expected[i], CodeName(results[i].status)) << i;
  both().ReadAll();
}

TEST_P(Conformance, BatchesOfEverySize) {
  both().Execute(std::vector<Operation>{});
  for (const std::size_t size : {1u, 2u, 63u, 512u, 513u, 2000u}) {
    std::vector<Operation> puts;
    std::vector<Operation> gets;
    for (std::size_t i = 0; i < size; ++i) {
      puts.push_back(Operation::Put("key" + std::to_string(i), std::to_string(size)));
      gets.push_back(Operation::Get("key" + std::to_string(i % (size + 7) + 3)));
    }
    both().Execute(puts);
    both().Execute(gets);
  }
}

// A backend may walk over what stands there instead of looking up each.
TEST_P(Conformance, ManyKeysInTheirOrderAreDecidedAsAnyOthers) {
  constexpr int kKeys = 1'500;
  std::vector<Operation> puts;
  std::vector<Operation> changes;
  std::vector<Operation> writes;
  std::vector<Operation> gets;
  for (int i = 0; i < kKeys; ++i) {
    const std::string key = "k" + std::to_string(10'000 + i);
    puts.push_back(Operation::Put(key, "1", {}, i % 7 == 0 ? Expiry::After(seconds{1}) : Expiry::Never()));
    if (i % 3 == 0) changes.push_back(Operation::Delete(key));
    if (i % 11 == 0) changes.push_back(Operation::Put(key + "between", "x"));
    writes.push_back(Operation::Put(key, "2", i % 2 == 0 ? Precondition::Absent() : Precondition::Present()));
    gets.push_back(Operation::Get(key));
  }
  both().Execute(puts);
  both().Execute(changes);
  clock().Advance(seconds{2});
  both().Execute(writes);
  both().Execute(gets);
  both().ScanAll(KeyRange::All(), 1'000);
}

TEST_P(Conformance, MoreOperationsThanAllowedAreRefusedTogether) {
  Limits limits;
  limits.max_operations = 5;
  UseLimits(limits);
  const std::vector<Operation> operations(6, Operation::Put("k", "1"));
  std::vector<OperationResult> results(6);
  backend().Execute(operations, results, Deadline::Infinite());
  for (const OperationResult& result : results) {
    EXPECT_EQ("invalid_argument", CodeName(result.status));
    EXPECT_NE(std::string::npos, result.status.error().message().find("limits.batch_operations"));
  }
  EXPECT_EQ("not_found", CodeName(Run(Operation::Get("k")).status));
  Transaction transaction;
  transaction.then.assign(6, Operation::Put("k", "1"));
  EXPECT_EQ("invalid_argument", CodeName(backend().Transact(transaction, Deadline::Infinite())));
}

TEST_P(Conformance, APassedDeadlineAttemptsNothing) {
  const Deadline passed = Deadline::After(seconds{-1});
  std::vector<OperationResult> results(2);
  const std::vector<Operation> operations = {Operation::Put("k", "1"), Operation::Get("k")};
  backend().Execute(operations, results, passed);
  for (const OperationResult& result : results) EXPECT_EQ("deadline_exceeded", CodeName(result.status));
  EXPECT_EQ("deadline_exceeded", CodeName(backend().Transact(Transaction{}, passed)));
  EXPECT_EQ("deadline_exceeded", CodeName(backend().Scan(ScanRequest{}, passed)));
  EXPECT_EQ("deadline_exceeded", CodeName(backend().Count(KeyRange::All(), passed)));
  EXPECT_EQ("deadline_exceeded", CodeName(backend().DeleteRange(KeyRange::All(), passed)));
  EXPECT_EQ("deadline_exceeded", CodeName(backend().CheckHealth(passed)));
  EXPECT_EQ("not_found", CodeName(Run(Operation::Get("k")).status));
}

}  // namespace
}  // namespace holdfast::storage::conformance
