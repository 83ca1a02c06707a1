// Where this process alone writes to the system of record.
#include "tests/unit/service/composition/write_behind_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::composition {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

using Values = std::vector<std::string>;

TEST_F(WriteBehindTest, a_write_is_acknowledged_and_read_before_the_record_has_it_and_keeps_its_version) {
  options_.queue.delay = hours{1};
  Open();
  const OperationResult put = Run(Operation::Put("k", "1"));
  ASSERT_TRUE(put.status.ok());
  EXPECT_FALSE(put.existed);
  EXPECT_EQ(Recorded("k"), "not_found");
  EXPECT_EQ(Get("k"), "1");
  EXPECT_EQ(Run(Operation::Get("k")).version, put.version);
  EXPECT_EQ(store_->status().entries, 1u);
  store_->Stop(Deadline::Infinite());
  EXPECT_EQ(Recorded("k"), "1");
  EXPECT_EQ(storage::ExecuteOne(*entries_, Operation::Get("k"), Deadline::Infinite()).version, put.version);
  EXPECT_GT(PutElsewhere("k", "2"), put.version);
}

TEST_F(WriteBehindTest, what_waited_when_the_process_was_killed_is_brought_by_the_next) {
  options_.queue.delay = hours{1};
  Open();
  PutElsewhere("gone", "x");
  ASSERT_EQ(Put("a", "1"), "ok");
  ASSERT_EQ(Put("b", "2"), "ok");
  ASSERT_TRUE(Run(Operation::Delete("gone")).status.ok());
  const storage::Version version = Run(Operation::Get("a")).version;
  options_.queue.delay = milliseconds{0};
  Open();
  AwaitDrained();
  EXPECT_EQ(Recorded("a"), "1");
  EXPECT_EQ(Recorded("b"), "2");
  EXPECT_EQ(Recorded("gone"), "not_found");
  EXPECT_EQ(Run(Operation::Get("a")).version, version);
}

TEST_F(WriteBehindTest, what_waits_is_brought_and_nothing_is_queued_by_one_that_takes_nothing) {
  options_.queue.delay = hours{1};
  Open();
  ASSERT_EQ(Put("a", "1"), "ok");
  ASSERT_EQ(Put("b", "1"), "ok");
  options_.queue.delay = milliseconds{0};
  options_.takes = false;
  record_->Set(State::kGone);
  Open();
  EXPECT_EQ(store_->status().mode, "through");
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(CodeOf(Run(Operation::Put("c", "1"), Deadline::After(milliseconds{50})).status), "unavailable");
  EXPECT_EQ(store_->status().entries, 2u);
  record_->Set(State::kThere);
  ASSERT_EQ(Put("a", "2"), "ok");
  EXPECT_EQ(Recorded("a"), "2") << "it comes behind what waited";
  AwaitDrained();
  EXPECT_EQ(Recorded("b"), "1");
}

// The control of the one above that.
TEST_F(WriteBehindTest, with_its_queue_lost_what_waited_is_lost) {
  options_.queue.delay = hours{1};
  Open();
  ASSERT_EQ(Put("a", "1"), "ok");
  store_.reset();
  ASSERT_TRUE(queue_->DeleteRange(storage::KeyRange::All(), Deadline::Infinite()).ok());
  Open();
  EXPECT_EQ(Get("a"), "not_found");
}

TEST_F(WriteBehindTest, behind_brings_every_write_in_its_order_and_back_the_last) {
  Open();
  for (const char* value : {"1", "2", "3"}) ASSERT_EQ(Put("behind", value), "ok");
  AwaitDrained();
  EXPECT_EQ(heard_->heard(), (Values{"behind=1", "behind=2", "behind=3"}));
  options_.queue.delay = hours{1};
  Open();
  for (const char* value : {"1", "2", "3"}) ASSERT_EQ(Put("back", value), "ok");
  EXPECT_EQ(store_->status().entries, 1u);
  EXPECT_EQ(store_->status().coalesced, 2u);
  store_->Stop(Deadline::Infinite());
  EXPECT_EQ(heard_->heard(), (Values{"behind=1", "behind=2", "behind=3", "back=3"}));
}

TEST_F(WriteBehindTest, a_back_write_leaves_by_itself_when_its_delay_is_over) {
  options_.queue.delay = milliseconds{5};
  Open();
  ASSERT_EQ(Put("k", "1"), "ok");
  AwaitDrained();
  EXPECT_EQ(Recorded("k"), "1");
}

TEST_F(WriteBehindTest, what_cannot_be_queued_comes_behind_what_is) {
  options_.queue.delay = hours{1};
  Open();
  const OperationResult put = Run(Operation::Put("k", "5"));
  EXPECT_EQ(CodeOf(Run(Operation::Put("k", "x", Precondition::Absent())).status), "already_exists");
  EXPECT_EQ(Run(Operation::Increment("k", 2)).number, 7);
  EXPECT_GT(Run(Operation::Get("k")).version, put.version);
  ASSERT_EQ(Put("k", "8"), "ok");
  storage::Transaction transaction;
  transaction.conditions = {{"k", Precondition::ValueIs("8")}};
  transaction.then = {Operation::Put("k", "9"), Operation::Put("l", "9")};
  const auto done = store_->Transact(transaction, Deadline::Infinite());
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(done->applied && done->conditions_held);
  EXPECT_EQ(Recorded("l"), "9");
}

TEST_F(WriteBehindTest, scans_counts_and_deletes_of_a_range_see_what_was_acknowledged) {
  options_.queue.delay = hours{1};
  Open();
  for (const char* key : {"a1", "a2", "b"}) ASSERT_EQ(Put(key, "v"), "ok");
  storage::ScanRequest request;
  request.range = storage::KeyRange::Prefix("a");
  request.consistency = storage::Consistency::kEventual;
  EXPECT_TRUE(store_->Scan(request, Deadline::Infinite())->entries.empty());  // which says so
  request.consistency = storage::Consistency::kStrong;
  EXPECT_EQ(store_->Scan(request, Deadline::Infinite())->entries.size(), 2u);
  EXPECT_EQ(store_->status().entries, 1u);  // nobody waited for b
  EXPECT_EQ(*store_->Count(storage::KeyRange::All(), Deadline::Infinite()), 3u);
  ASSERT_EQ(Put("b", "w"), "ok");
  EXPECT_EQ(*store_->DeleteRange(storage::KeyRange::Prefix("b"), Deadline::Infinite()), 1u);
  EXPECT_EQ(Get("b"), "not_found");
  ASSERT_EQ(Put("b", "again"), "ok");
  store_->Stop(Deadline::Infinite());
  EXPECT_EQ(Recorded("b"), "again");
  EXPECT_TRUE(Conflicts().empty());
}

TEST_F(WriteBehindTest, what_waits_for_company_leaves_when_the_queue_is_full) {
  options_.queue.max_entries = 2;
  options_.queue.delay = hours{1};
  Open();
  for (const char* key : {"a", "b", "c"}) ASSERT_EQ(Put(key, "1"), "ok");
  EXPECT_EQ(Recorded("a"), "1");
}

TEST_F(WriteBehindTest, a_batch_is_decided_in_its_order_whoever_takes_its_parts) {
  options_.queue.delay = hours{1};
  Open();
  const std::vector<Operation> operations{
      Operation::Put("a", "1"), Operation::Get("a"),          Operation::Put("b", "2"), Operation::Increment("b", 1),
      Operation::Delete("a"),   Operation::Put("", "no key"), Operation::Get("a"),      Operation::Get("other")};
  std::vector<OperationResult> results(operations.size());
  store_->Execute(operations, results, Deadline::Infinite());
  EXPECT_EQ(results[1].entry->value, "1");
  EXPECT_EQ(results[3].number, 3);
  EXPECT_EQ(results[4].version, results[0].version);
  EXPECT_EQ(CodeOf(results[5].status), "invalid_argument");
  EXPECT_EQ(CodeOf(results[6].status), "not_found");
  EXPECT_EQ(CodeOf(results[7].status), "not_found");
  EXPECT_EQ(Recorded("b"), "3");
}

TEST_F(WriteBehindTest, what_was_brought_when_the_process_was_killed_is_not_brought_as_something_else) {
  Open();
  ASSERT_EQ(Put("k", "1"), "ok");
  AwaitDrained();
  queue_->GoneBehind(1);  // the next write is queued, and what becomes of it cannot be written down
  ASSERT_EQ(Put("k", "2"), "ok");
  ASSERT_TRUE(Eventually([this] { return Recorded("k") == "2"; }));
  EXPECT_EQ(store_->status().entries, 1u);
  store_.reset();
  queue_->Set(State::kThere);
  Open();
  AwaitDrained();
  EXPECT_TRUE(Conflicts().empty());
  EXPECT_EQ(heard_->heard(), (Values{"k=1", "k=2"}));
}

TEST_F(WriteBehindTest, a_queue_that_is_gone_refuses_what_it_cannot_keep) {
  Open();
  queue_->Set(State::kGone);
  EXPECT_EQ(Put("k", "1"), "unavailable");
  EXPECT_EQ(Get("k"), "not_found");
}

TEST_F(WriteBehindTest, durability_is_that_of_the_weaker_and_versions_are_final) {
  Open();
  EXPECT_FALSE(store_->capabilities().durable_ack);
  EXPECT_EQ(store_->capabilities().durability, "memory");
  EXPECT_TRUE(store_->capabilities().versions_final);
}

TEST_F(WriteBehindTest, expiries_count_from_the_acknowledgement) {
  options_.queue.delay = hours{1};
  Open();
  ASSERT_TRUE(Run(Operation::Put("k", "1", {}, storage::Expiry::After(std::chrono::seconds{10}))).status.ok());
  clock_.Advance(std::chrono::seconds{5});
  EXPECT_EQ(Get("k"), "1");
  clock_.Advance(std::chrono::seconds{5});
  EXPECT_EQ(Get("k"), "not_found");
  EXPECT_FALSE(Run(Operation::Put("k", "2")).existed);
  store_->Stop(Deadline::Infinite());
  EXPECT_EQ(Recorded("k"), "2");
}

}  // namespace
}  // namespace holdfast::composition
