// The cache is slow, gone or flushed, and reads and writes overtake each other: no wrong answer.
#include <future>
#include <thread>

#include "tests/unit/service/composition/tiered_fixture.h"

namespace holdfast::composition {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using storage::Operation;
using storage::OperationResult;

class TieredFault : public TieredTest {
 protected:
  TieredFault() : TieredTest(Options()) {}
  static TieredOptions Options() {
    TieredOptions options;
    options.copies.timeout = milliseconds{300};  // a busy machine is no cache that hangs
    return options;
  }
  void AwaitHeld(const ObservedBackend& backend) {
    const Deadline patience = Deadline::After(seconds{60});
    while (backend.waiting() == 0 && !patience.Expired()) std::this_thread::yield();
    ASSERT_EQ(backend.waiting(), 1);
  }
};

// The reader has the old entry in its hands when the write is acknowledged, and fills afterwards.
TEST_F(TieredFault, fault_tiered_a_late_fill_never_shows_an_older_value) {
  PutElsewhere("k", "old");
  record_->HoldGets();
  auto reader = std::async(std::launch::async, [this] { return Get("k"); });
  AwaitHeld(*record_);
  Put("k", "new");
  record_->Release();
  EXPECT_EQ(reader.get(), "old") << "it began before the write";
  EXPECT_EQ(Get("k"), "new");
  EXPECT_EQ(Get("k"), "new");
}

// The same without stamps, to see that this is what the case above would find: the fill as it is done, and what it
// leaves.
TEST_F(TieredFault, fault_tiered_control_a_fill_with_a_stamp_that_stands_would_show_it) {
  Put("k", "new");
  storage::Entry old;
  old.value = "old";
  const auto copy =
      DecodeCopy(storage::ExecuteOne(*cache_, Operation::Get(CopyKey("k")), Deadline::Infinite()).entry->value);
  ASSERT_TRUE(copy);
  ASSERT_TRUE(
      storage::ExecuteOne(*cache_, Operation::Put(CopyKey("k"), EncodeCopy(copy->stamp, &old)), Deadline::Infinite())
          .status.ok());
  EXPECT_EQ(Get("k"), "old");
  ASSERT_TRUE(storage::ExecuteOne(*cache_, Operation::Put(CopyKey("k"), EncodeCopy({copy->stamp.generation, 0}, &old)),
                                  Deadline::Infinite())
                  .status.ok());
  EXPECT_EQ(Get("k"), "new");
}

TEST_F(TieredFault, fault_tiered_who_comes_behind_a_write_does_not_share_a_read_that_began_before_it) {
  PutElsewhere("k", "old");
  record_->HoldGets();
  auto before = std::async(std::launch::async, [this] { return Get("k"); });
  AwaitHeld(*record_);
  Put("k", "new");
  Flush();  // else the copy that the write left would answer
  auto behind = std::async(std::launch::async, [this] { return Get("k"); });
  const Deadline patience = Deadline::After(seconds{60});
  while (record_->waiting() < 2 && !patience.Expired()) std::this_thread::yield();
  record_->Release();
  EXPECT_EQ(behind.get(), "new");
  EXPECT_EQ(before.get(), "old");
}

TEST_F(TieredFault, fault_tiered_a_cache_that_is_gone_changes_no_answer) {
  Put("k", "1");
  cache_->Fail(ErrorCode::kUnavailable);
  EXPECT_EQ(Get("k"), "1");
  Put("k", "2");
  EXPECT_EQ(Get("k"), "2");
  EXPECT_EQ(Get("none"), "not_found");
  cache_->Fail(std::nullopt);  // back, with the copy of the first value
  EXPECT_EQ(Get("k"), "2");
  EXPECT_EQ(Get("k"), "2");
}

TEST_F(TieredFault, fault_tiered_a_cache_that_hangs_costs_its_timeout_and_no_more) {
  Put("k", "1");
  cache_->HoldGets();
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Get("k"), "1");
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took, milliseconds{900});
  EXPECT_LT(took, seconds{20});  // else there is no end of it
  cache_->Release();
}

TEST_F(TieredFault, fault_tiered_a_flushed_cache_is_filled_again) {
  Put("k", "1");
  Flush();
  EXPECT_EQ(Get("k"), "1");
  EXPECT_EQ(record_->gets(), 1);
  EXPECT_EQ(Get("k"), "1");
  EXPECT_EQ(record_->gets(), 1);
}

TEST_F(TieredFault, fault_tiered_missed_changes_make_every_copy_useless) {
  Put("k", "1");
  tiered_->listener()->OnMissed();
  EXPECT_EQ(Get("k"), "1");
  EXPECT_EQ(record_->gets(), 1);
}

TEST_F(TieredFault, fault_tiered_a_write_with_an_open_fate_leaves_no_copy) {
  Put("k", "1");
  record_->Fail(ErrorCode::kOutcomeUnknown);
  EXPECT_FALSE(Run(Operation::Put("k", "2")).status.ok());
  record_->Fail(std::nullopt);
  EXPECT_EQ(Get("k"), "1");
  EXPECT_EQ(record_->gets(), 1);
}

TEST_F(TieredFault, fault_tiered_a_read_that_fails_is_not_handed_to_those_who_wait_for_it) {
  PutElsewhere("k", "v");
  record_->HoldGets();
  auto hasty = std::async(std::launch::async, [this] { return Get("k", Deadline::After(seconds{1})); });
  AwaitHeld(*record_);
  auto patient = std::async(std::launch::async, [this] { return Get("k", Deadline::After(seconds{20})); });
  EXPECT_EQ(hasty.get(), "deadline_exceeded");
  record_->Release();
  EXPECT_EQ(patient.get(), "v");
}

TEST_F(TieredFault, fault_tiered_the_system_of_record_down_is_said_and_copies_go_on) {
  Put("k", "1");
  record_->Fail(ErrorCode::kUnavailable);
  EXPECT_EQ(Get("k"), "1");
  EXPECT_EQ(Get("other"), "unavailable");
  EXPECT_EQ(Run(Operation::Put("k", "2")).status.error().code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace holdfast::composition
