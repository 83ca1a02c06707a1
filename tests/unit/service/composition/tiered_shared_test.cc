// A cache over a system of record that others write to: who may be answered from a copy, and when no longer.
#include <thread>

#include "tests/unit/service/composition/tiered_fixture.h"

namespace holdfast::composition {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using storage::Operation;

class TieredShared : public TieredTest {
 protected:
  TieredShared() : TieredTest(Options()) {
    // It has to ask the change feed first, which it does in its own time.
    const Deadline patience = Deadline::After(seconds{60});
    while (tiered_->staleness() > Options().max_staleness && !patience.Expired()) std::this_thread::yield();
    EXPECT_LE(tiered_->staleness(), Options().max_staleness);
  }
  static TieredOptions Options() {
    TieredOptions options;
    options.shared = true;
    options.max_staleness = milliseconds{100};
    options.unknown_time = seconds{60};
    return options;
  }
  std::string GetEventual(const std::string& key, storage::Version min_version = 0) {
    Operation get = Operation::Get(key);
    get.consistency = storage::Consistency::kEventual;
    get.min_version = min_version;
    const storage::OperationResult result = Run(get);
    return result.status.ok() ? result.entry->value : std::string(ErrorCodeName(result.status.error().code()));
  }
};

TEST_F(TieredShared, StrongReadsAskTheSystemOfRecordEventualOnesACopy) {
  PutElsewhere("k", "v");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Get("k"), "v");
  EXPECT_EQ(record_->gets(), 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(GetEventual("k"), "v");
  EXPECT_EQ(record_->gets(), 4);
  EXPECT_EQ(tiered_->tiered_statistics().hits, 2u);
}

// A replica may not have yet what the listener has been told of: a copy of its answer would be shown for ever.
TEST_F(TieredShared, WhatIsKeptWasAStrongRead) {
  PutElsewhere("k", "v");
  EXPECT_EQ(GetEventual("k"), "v");
  EXPECT_EQ(record_->gets(), 1);
  EXPECT_EQ(record_->eventual_gets(), 0);
}

TEST_F(TieredShared, ABatchWithAStrongReadIsStrong) {
  Put("k", "v");
  Operation eventual = Operation::Get("k");
  eventual.consistency = storage::Consistency::kEventual;
  const std::vector<Operation> gets = {eventual, Operation::Get("k")};
  std::vector<storage::OperationResult> results(gets.size());
  tiered_->Execute(gets, results, Deadline::Infinite());
  EXPECT_EQ(results[0].entry->value, "v");
  EXPECT_EQ(record_->gets(), 2);
}

TEST_F(TieredShared, AChangeThatIsToldIsSeen) {
  Put("k", "1");
  EXPECT_EQ(GetEventual("k"), "1");
  PutElsewhere("k", "2");
  EXPECT_EQ(GetEventual("k"), "2");
  tiered_->listener()->OnMissed();
  EXPECT_EQ(GetEventual("k"), "2");
}

TEST_F(TieredShared, ACopyThatIsOlderThanAskedForWillNotDo) {
  Put("k", "1");
  EXPECT_EQ(GetEventual("k"), "1");
  const int before = record_->gets();
  const storage::Version version = Run(Operation::Get("k")).version;
  EXPECT_EQ(GetEventual("k", version), "1");
  EXPECT_EQ(record_->gets(), before + 1) << "the strong read only";
  EXPECT_EQ(GetEventual("k", version + 1), "1");
  EXPECT_EQ(record_->gets(), before + 2);
}

TEST_F(TieredShared, fault_tiered_nothing_is_shown_when_the_feed_has_been_silent_for_too_long) {
  Put("k", "1");
  record_->HoldFeed();
  clock_.Advance(milliseconds{100});
  const int before = record_->gets();
  EXPECT_EQ(GetEventual("k"), "1");
  EXPECT_EQ(record_->gets(), before);
  clock_.Advance(milliseconds{1});
  EXPECT_EQ(GetEventual("k"), "1");
  EXPECT_EQ(record_->gets(), before + 1);
  EXPECT_GT(tiered_->staleness(), milliseconds{100});
  record_->Release();
  const Deadline patience = Deadline::After(seconds{60});
  while (tiered_->staleness() > milliseconds{100} && !patience.Expired()) std::this_thread::yield();
  EXPECT_EQ(GetEventual("k"), "1");
  EXPECT_EQ(record_->gets(), before + 1);
}

// A feed that answers at once that it does not know is no better than one that is silent.
TEST_F(TieredShared, fault_tiered_nothing_is_shown_when_the_feed_has_not_known_for_too_long) {
  Put("k", "1");
  record_->BreakFeed();
  clock_.Advance(milliseconds{201});
  // Whoever asked before it broke has its answer by then, and that proves nothing of now.
  const int before = record_->gets();
  const int asked = record_->questions();
  const Deadline patience = Deadline::After(seconds{60});
  while (record_->questions() < asked + 3 && !patience.Expired()) std::this_thread::yield();
  EXPECT_EQ(GetEventual("k"), "1");
  EXPECT_EQ(record_->gets(), before + 1);
  record_->Release();
  while (tiered_->staleness() > milliseconds{100} && !patience.Expired()) std::this_thread::yield();
  EXPECT_EQ(GetEventual("k"), "1");
  EXPECT_EQ(record_->gets(), before + 1);
}

TEST_F(TieredShared, fault_tiered_what_an_unknown_write_may_yet_change_has_no_copy) {
  Put("k", "1");
  record_->Fail(ErrorCode::kOutcomeUnknown);
  EXPECT_FALSE(Run(Operation::Put("k", "2")).status.ok());
  record_->Fail(std::nullopt);
  const int before = record_->gets();
  EXPECT_EQ(GetEventual("k"), "1");
  EXPECT_EQ(GetEventual("k"), "1");
  EXPECT_EQ(record_->gets(), before + 2);
  EXPECT_EQ(GetEventual("other"), "not_found");
}

}  // namespace
}  // namespace holdfast::composition
