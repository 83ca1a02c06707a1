#include "service/composition/tiered_backend.h"

#include <thread>

#include "tests/unit/service/composition/tiered_fixture.h"

namespace holdfast::composition {
namespace {

using std::chrono::seconds;
using storage::Expiry;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

using Tiered = TieredTest;

TEST_F(Tiered, AReadLeavesACopyThatAnswersTheNext) {
  PutElsewhere("k", "v");
  EXPECT_EQ(Get("k"), "v");
  EXPECT_EQ(record_->gets(), 1);
  const OperationResult hit = Run(Operation::Get("k"));
  EXPECT_EQ(hit.entry->value, "v");
  EXPECT_EQ(record_->gets(), 1);
  const OperationResult stored = storage::ExecuteOne(*record_, Operation::Get("k"), Deadline::Infinite());
  EXPECT_EQ(hit.version, stored.version);
  EXPECT_EQ(hit.entry->created_at, stored.entry->created_at);
  EXPECT_EQ(tiered_->tiered_statistics().hits, 1u);
  EXPECT_EQ(tiered_->tiered_statistics().misses, 1u);
  EXPECT_EQ(tiered_->statistics().cache_hits, 1u);
}

TEST_F(Tiered, AWriteGoesThroughAndLeavesACopy) {
  Put("k", "1");
  EXPECT_EQ(storage::ExecuteOne(*record_, Operation::Get("k"), Deadline::Infinite()).entry->value, "1");
  const int before = record_->gets();
  EXPECT_EQ(Get("k"), "1");
  Put("k", "2");
  EXPECT_EQ(Get("k"), "2");
  ASSERT_TRUE(Run(Operation::Increment("k", 5)).status.ok());
  EXPECT_EQ(Get("k"), "7");
  ASSERT_TRUE(Run(Operation::Touch("k", Expiry::After(seconds{5}))).status.ok());
  EXPECT_TRUE(Run(Operation::Get("k")).entry->expires_at);
  storage::Transaction transaction;
  transaction.then = {Operation::Put("k", "8"), Operation::Delete("other")};
  ASSERT_TRUE(tiered_->Transact(transaction, Deadline::Infinite())->applied);
  EXPECT_EQ(Get("k"), "8");
  EXPECT_EQ(record_->gets(), before) << "every one of them was answered by the copy that the write left";
  ASSERT_TRUE(Run(Operation::Delete("k")).status.ok());
  EXPECT_EQ(Get("k"), "not_found");
  EXPECT_EQ(record_->gets(), before);
}

TEST_F(Tiered, WhatFailsItsPreconditionChangesNoCopy) {
  Put("k", "1");
  EXPECT_FALSE(Run(Operation::Put("k", "2", Precondition::Absent())).status.ok());
  EXPECT_EQ(Get("k"), "1");
  Operation changed = Operation::Get("k");
  changed.precondition = Precondition::VersionIs(1);
  EXPECT_EQ(Run(changed).status.error().code(), ErrorCode::kVersionConflict);
}

TEST_F(Tiered, AChangeThatIsHeardOfIsSeenAtOnce) {
  Put("k", "1");
  EXPECT_EQ(Get("k"), "1");
  PutElsewhere("k", "2");
  EXPECT_EQ(Get("k"), "2");
}

TEST_F(Tiered, ThatThereIsNoneIsRememberedForAShorterTime) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Get("none"), "not_found");
  EXPECT_EQ(record_->gets(), 1);
  clock_.Advance(seconds{11});
  EXPECT_EQ(Get("none"), "not_found");
  EXPECT_EQ(record_->gets(), 2);
  Put("none", "now");
  EXPECT_EQ(Get("none"), "now");
}

TEST_F(Tiered, ACopyEndsWithItsEntry) {
  ASSERT_TRUE(Run(Operation::Put("k", "v", {}, Expiry::After(seconds{5}))).status.ok());
  EXPECT_EQ(Get("k"), "v");
  clock_.Advance(seconds{5});
  EXPECT_EQ(Get("k"), "not_found");
}

TEST_F(Tiered, ACopyIsKeptNoLongerThanItsTime) {
  Put("k", "v");
  clock_.Advance(seconds{3'599});
  EXPECT_EQ(Get("k"), "v");
  EXPECT_EQ(record_->gets(), 0);
  clock_.Advance(seconds{1});
  EXPECT_EQ(Get("k"), "v");
  EXPECT_EQ(record_->gets(), 1);
}

TEST_F(Tiered, ADeletedRangeLeavesNoCopies) {
  Put("a1", "1");
  Put("a2", "2");
  Put("b", "3");
  ASSERT_EQ(*tiered_->DeleteRange(storage::KeyRange::Prefix("a"), Deadline::Infinite()), 2u);
  EXPECT_EQ(Get("a1"), "not_found");
  EXPECT_EQ(Get("a2"), "not_found");
  EXPECT_EQ(Get("b"), "3");
}

TEST_F(Tiered, ABatchOfGetsAsksOnceForWhatIsMissing) {
  PutElsewhere("a", "1");
  PutElsewhere("b", "2");
  EXPECT_EQ(Get("a"), "1");
  const std::vector<Operation> gets = {Operation::Get("b"), Operation::Get("a"), Operation::Get("b"),
                                       Operation::Get("none"), Operation::Get("")};
  std::vector<OperationResult> results(gets.size());
  tiered_->Execute(gets, results, Deadline::Infinite());
  EXPECT_EQ(results[0].entry->value, "2");
  EXPECT_EQ(results[1].entry->value, "1");
  EXPECT_EQ(results[2].entry->value, "2");
  EXPECT_EQ(results[3].status.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(results[4].status.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(record_->gets(), 1 + 3) << "a before, then b, none and the one that is no key";
}

TEST_F(Tiered, AMissStormOnOneKeyIsOneReadOfTheSystemOfRecord) {
  PutElsewhere("hot", "v");
  record_->HoldGets();
  constexpr int kReaders = 32;
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([this] { EXPECT_EQ(Get("hot"), "v"); });
  }
  const Deadline patience = Deadline::After(seconds{60});
  // Every one of them has missed, and one is at the system of record.
  while (tiered_->tiered_statistics().misses < kReaders && !patience.Expired()) std::this_thread::yield();
  record_->Release();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(record_->gets(), 1);
  EXPECT_GE(tiered_->tiered_statistics().coalesced, 1u);
}

TEST_F(Tiered, LargeValuesHaveNoCopies) {
  Put("k", std::string((1u << 20) + 1, 'v'));
  EXPECT_EQ(Get("k").size(), (1u << 20) + 1);
  EXPECT_EQ(Get("k").size(), (1u << 20) + 1);
  EXPECT_EQ(record_->gets(), 2);
}

TEST_F(Tiered, CopiesAreNotCountedAsEntriesOfTheStore) {
  Put("a", "1");
  EXPECT_EQ(tiered_->statistics().entries, 1u);
  EXPECT_EQ(tiered_->cache_statistics().entries, 1u);
  EXPECT_EQ(*tiered_->Count(storage::KeyRange::All(), Deadline::Infinite()), 1u);
}

}  // namespace
}  // namespace holdfast::composition
