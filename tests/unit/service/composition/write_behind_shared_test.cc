// Where others write to the system of record as well, and it may be away.
#include "tests/unit/service/composition/write_behind_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::composition {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

using Values = std::vector<std::string>;

TEST_F(WriteBehindTest, with_the_record_away_writes_are_taken_and_read_and_brought_when_it_is_back) {
  Open(/*shared=*/true);
  PutElsewhere("there", "old");
  PutElsewhere("deleted", "old");
  clock_.Advance(seconds{1});
  record_->Set(State::kGone);
  ASSERT_EQ(Put("there", "new"), "ok");
  ASSERT_EQ(Put("fresh", "1"), "ok");
  ASSERT_EQ(Put("fresh", "2"), "ok");
  ASSERT_TRUE(Run(Operation::Delete("deleted")).status.ok());
  EXPECT_EQ(Get("there"), "new");
  EXPECT_EQ(Get("fresh"), "2");
  EXPECT_EQ(Get("deleted"), "not_found");
  EXPECT_EQ(Get("other"), "unavailable");
  EXPECT_EQ(CodeOf(Run(Operation::Increment("fresh", 1), Deadline::After(seconds{5})).status), "unavailable");
  EXPECT_EQ(CodeOf(Run(Operation::Put("new", "x", {}, storage::Expiry::Keep())).status), "unavailable");
  ASSERT_TRUE(Eventually([this] { return store_->status().away; }));
  EXPECT_EQ(store_->status().entries, 4u);
  record_->Set(State::kThere);
  AwaitDrained();
  EXPECT_EQ(Recorded("there"), "new");
  EXPECT_EQ(Recorded("fresh"), "2");
  EXPECT_EQ(Recorded("deleted"), "not_found");
  EXPECT_TRUE(Conflicts().empty());
  EXPECT_FALSE(store_->status().away);
  EXPECT_GT(store_->status().retries, 0u);
}

TEST_F(WriteBehindTest, the_same_with_a_record_that_hangs) {
  Open(/*shared=*/true);
  record_->Set(State::kHangs);
  ASSERT_EQ(Put("k", "1"), "ok");
  EXPECT_EQ(Get("k"), "1");
  record_->Set(State::kThere);
  AwaitDrained();
  EXPECT_EQ(Recorded("k"), "1");
}

TEST_F(WriteBehindTest, with_the_record_away_a_process_is_killed_and_the_next_one_brings_all) {
  Open(/*shared=*/true);
  record_->Set(State::kGone);
  for (const char* value : {"1", "2", "3"}) ASSERT_EQ(Put("k", value), "ok");
  Open(/*shared=*/true);
  EXPECT_EQ(Get("k"), "3");
  ASSERT_EQ(Put("k", "4"), "ok");
  record_->Set(State::kThere);
  AwaitDrained();
  EXPECT_EQ(heard_->heard(), (Values{"k=1", "k=2", "k=3", "k=4"}));
  EXPECT_TRUE(Conflicts().empty());
}

TEST_F(WriteBehindTest, a_chain_of_writes_that_is_cut_anywhere_ends_with_the_last) {
  for (int calls = 1; calls <= 6; ++calls) {
    SCOPED_TRACE(calls);
    const std::string key = "k" + std::to_string(calls);
    record_->Set(State::kGone);
    Open(/*shared=*/true);
    for (const char* value : {"1", "2", "3"}) ASSERT_EQ(Put(key, value), "ok");
    queue_->GoneBehind(calls % 3);  // so many writes of the queue go well
    record_->Set(State::kThere);
    ASSERT_TRUE(Eventually([&] { return Recorded(key) == std::to_string(calls % 3 + 1); }));
    store_.reset();
    queue_->Set(State::kThere);
    Open(/*shared=*/true);
    AwaitDrained();
    EXPECT_EQ(Recorded(key), "3");
    EXPECT_TRUE(Conflicts().empty());
    queue_->GoneBehind(-1);
  }
}

TEST_F(WriteBehindTest, a_version_changes_once_and_is_good_as_a_precondition_before_and_after) {
  options_.queue.delay = hours{1};
  Open(/*shared=*/true);
  EXPECT_FALSE(store_->capabilities().versions_final);
  const OperationResult put = Run(Operation::Put("k", "1"));
  EXPECT_GT(put.version, kSecondaryVersions);
  EXPECT_EQ(Run(Operation::Get("k")).version, put.version);
  const OperationResult swapped = Run(Operation::Put("k", "2", Precondition::VersionIs(put.version)));
  ASSERT_TRUE(swapped.status.ok()) << swapped.status.error().ToString();
  EXPECT_LT(swapped.version, kSecondaryVersions);
  EXPECT_EQ(CodeOf(Run(Operation::Put("k", "3", Precondition::VersionIs(put.version))).status), "version_conflict");
  EXPECT_EQ(Recorded("k"), "2");
}

TEST_F(WriteBehindTest, a_version_is_not_given_again_after_a_restart_with_the_clock_set_back) {
  Open(/*shared=*/true);
  storage::Version highest = 0;
  for (int round = 0; round < 3; ++round) {
    // Brought, so that nothing of it is in the queue; and one of which nothing but a delete is.
    const OperationResult brought = Run(Operation::Put("k", "brought"));
    AwaitDrained();
    record_->Set(State::kGone);
    const OperationResult waits = Run(Operation::Put("k", "waits"));
    ASSERT_TRUE(brought.status.ok() && waits.status.ok());
    EXPECT_GT(brought.version, highest);
    EXPECT_GT(waits.version, brought.version);
    highest = waits.version;
    ASSERT_TRUE(Run(Operation::Delete("k")).status.ok());
    clock_.JumpTo(clock_.Now() - hours{1});
    Open(/*shared=*/true);
    const OperationResult fresh = Run(Operation::Put("k", "fresh"));
    ASSERT_TRUE(fresh.status.ok());
    EXPECT_GT(fresh.version, highest);
    highest = fresh.version;
    record_->Set(State::kThere);
    AwaitDrained();
  }
}

TEST_F(WriteBehindTest, what_somebody_else_wrote_meanwhile_stands_and_the_write_is_kept_as_a_conflict) {
  options_.queue.delay = hours{1};
  Open(/*shared=*/true);
  PutElsewhere("k", "before");
  ASSERT_EQ(Put("k", "mine"), "ok");
  PutElsewhere("k", "theirs");
  ASSERT_EQ(Put("k", "mine again"), "ok");  // becomes one with the first
  store_->Stop(Deadline::Infinite());
  EXPECT_EQ(Recorded("k"), "theirs");
  EXPECT_EQ(Get("k"), "theirs");
  EXPECT_EQ(Conflicts(), (Values{"k=mine again"}));
  EXPECT_EQ(store_->status().conflicts, 1u);
  EXPECT_EQ(store_->status().drained, 0u);
}

TEST_F(WriteBehindTest, what_follows_a_write_that_lost_loses_as_well) {
  PutElsewhere("k", "before");
  Open(/*shared=*/true);
  record_->GoneBehind(0);  // reads go well until the first write fails
  ASSERT_EQ(Put("k", "1"), "ok");
  ASSERT_TRUE(Eventually([this] { return store_->status().away; }));
  ASSERT_EQ(Put("k", "2"), "ok");
  PutElsewhere("k", "theirs");
  record_->Set(State::kThere);
  Open(/*shared=*/true);
  AwaitDrained();
  EXPECT_EQ(Recorded("k"), "theirs");
  EXPECT_EQ(Conflicts(), (Values{"k=1", "k=2"}));
}

TEST_F(WriteBehindTest, a_full_queue_holds_writes_up_and_then_refuses_them_by_the_name_of_its_limit) {
  options_.queue.max_entries = 2;
  Open(/*shared=*/true);
  record_->Set(State::kGone);
  ASSERT_EQ(Put("a", "1"), "ok");
  ASSERT_EQ(Put("b", "1"), "ok");
  const OperationResult refused = Run(Operation::Put("c", "2"), Deadline::After(seconds{1}));
  EXPECT_EQ(CodeOf(refused.status), "unavailable");
  ASSERT_FALSE(refused.status.ok());
  EXPECT_NE(refused.status.error().message().find("write_queue_entries 2"), std::string::npos)
      << refused.status.error().message();
  EXPECT_EQ(store_->status().refused, 1u);
  EXPECT_EQ(store_->status().entries, 2u);
  record_->Set(State::kThere);
  EXPECT_EQ(Put("c", "3"), "ok");
}

TEST_F(WriteBehindTest, where_nothing_was_known_the_later_write_stands) {
  Open(/*shared=*/true);
  record_->Set(State::kGone);
  PutElsewhere("old", "theirs");
  clock_.Advance(seconds{1});
  ASSERT_EQ(Put("old", "mine"), "ok");
  ASSERT_EQ(Put("new", "mine"), "ok");
  ASSERT_EQ(Put("same", "both"), "ok");
  clock_.Advance(seconds{1});
  PutElsewhere("new", "theirs");
  PutElsewhere("same", "both");
  record_->Set(State::kThere);
  AwaitDrained();
  EXPECT_EQ(Recorded("old"), "mine");
  EXPECT_EQ(Recorded("new"), "theirs");
  EXPECT_EQ(Conflicts(), (Values{"new=mine"}));
}

// What two instances over one system of record are promised: of every acknowledged write the value stands there, was
// replaced by a later one of either that saw it, or is listed as a conflict.
TEST_F(WriteBehindTest, of_two_instances_no_write_goes_without_a_trace) {
  const auto other_queue = std::make_shared<RemovableBackend>(std::shared_ptr(storage::MakeMemoryBackend({}, clock_)));
  options_.queue.delay = std::chrono::milliseconds{1};
  Open(/*shared=*/true);
  const auto other = Made(/*shared=*/true, other_queue);
  constexpr int kKeys = 20;
  const auto write = [](WriteBehindBackend& store, const std::string& who) {
    for (int i = 0; i < kKeys; ++i) {
      const auto put = storage::ExecuteOne(store, Operation::Put("k" + std::to_string(i), who), Deadline::Infinite());
      ASSERT_TRUE(put.status.ok()) << put.status.error().ToString();
    }
  };
  std::thread beside([&] { write(*other, "b"); });
  write(*store_, "a");
  beside.join();
  store_->Stop(Deadline::Infinite());
  other->Stop(Deadline::Infinite());
  const Values heard = heard_->heard();
  Values lost = Conflicts();
  for (const std::string& one : ConflictsOf(*other)) lost.push_back(one);
  for (int i = 0; i < kKeys; ++i) {
    for (const char* who : {"=a", "=b"}) {
      const std::string written = "k" + std::to_string(i) + who;
      const bool stood = std::find(heard.begin(), heard.end(), written) != heard.end();
      const bool listed = std::find(lost.begin(), lost.end(), written) != lost.end();
      EXPECT_TRUE(stood != listed) << written << (stood ? " both" : " neither");
    }
  }
}

// The control of the rule: without its preconditions a queue clobbers.
TEST_F(WriteBehindTest, without_preconditions_what_somebody_else_wrote_would_be_gone) {
  options_.queue.delay = hours{1};
  Open(/*shared=*/true);
  PutElsewhere("k", "before");
  ASSERT_EQ(Put("k", "mine"), "ok");
  PutElsewhere("k", "theirs");
  record_->ForgetPreconditions();
  store_->Stop(Deadline::Infinite());
  EXPECT_EQ(Recorded("k"), "mine");
}

}  // namespace
}  // namespace holdfast::composition
