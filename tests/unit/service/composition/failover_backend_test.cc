// Switching, returning, and what is served from the copy.
#include "service/storage/key_space.h"
#include "tests/unit/service/composition/failover_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::composition {
namespace {

using storage::Expiry;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

TEST_F(FailoverTest, reads_are_answered_from_the_copy_as_the_primary_had_them) {
  PutElsewhere("before the start", "1");
  OpenCopied();
  Operation put = Operation::Put("a", "value", {}, Expiry::After(std::chrono::hours{1}));
  put.metadata = R"({"n":1})";
  put.tags = {"x", "y"};
  put.content_type = "text/plain";
  const OperationResult written = Run(put);
  ASSERT_TRUE(written.status.ok());
  ASSERT_EQ(Put("b", "2"), "ok");
  ASSERT_TRUE(Run(Operation::Delete("b")).status.ok());
  const OperationResult touched = Run(Operation::Touch("a", Expiry::After(std::chrono::hours{2})));
  AwaitCopied();
  Lose();
  const OperationResult read = Run(Operation::Get("a"));
  ASSERT_TRUE(read.status.ok()) << read.status.error().ToString();
  EXPECT_EQ(read.version, written.version);
  EXPECT_EQ(read.entry->version, written.version);
  EXPECT_EQ(read.entry->value, "value");
  EXPECT_EQ(read.entry->metadata, put.metadata);
  EXPECT_EQ(read.entry->tags, put.tags);
  EXPECT_EQ(read.entry->content_type, put.content_type);
  EXPECT_EQ(read.entry->expires_at, touched.expires_at);
  EXPECT_EQ(Get("b"), "not_found");
  EXPECT_EQ(Get("before the start"), "1");
  Operation other = Operation::Get("a");
  other.precondition = Precondition::VersionIs(written.version + 1);
  EXPECT_EQ(CodeOf(Run(other).status), "version_conflict");

  storage::ScanRequest request;
  request.keys_only = true;
  const auto page = store_->Scan(request, Deadline::Infinite());
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->entries.size(), 2u);
  EXPECT_EQ(page->entries[0].key, "a");
  EXPECT_EQ(page->entries[0].value_bytes, 5u);
  EXPECT_EQ(page->entries[0].entry->value, "");
  EXPECT_EQ(page->entries[1].key, "before the start");
  EXPECT_EQ(store_->Count(storage::KeyRange::Prefix("b"), Deadline::Infinite()).value(), 1u);
  clock_.Advance(std::chrono::hours{3});
  EXPECT_EQ(Get("a"), "not_found");
}

TEST_F(FailoverTest, read_only_refuses_every_write_says_why_and_counts_it) {
  OpenCopied();
  ASSERT_EQ(Put("a", "1"), "ok");
  AwaitCopied();
  Lose();
  const Status put = Run(Operation::Put("a", "2")).status;
  ASSERT_EQ(CodeOf(put), "unavailable");
  EXPECT_NE(put.error().message().find("read_only"), std::string::npos) << put.error().message();
  EXPECT_NE(put.error().message().find("as the test has it"), std::string::npos) << put.error().message();
  EXPECT_EQ(CodeOf(Run(Operation::Increment("n", 1)).status), "unavailable");
  storage::Transaction transaction;
  transaction.then = {Operation::Put("a", "3")};
  EXPECT_EQ(CodeOf(Status(store_->Transact(transaction, Deadline::Infinite()).error())), "unavailable");
  EXPECT_EQ(CodeOf(Status(store_->DeleteRange(storage::KeyRange::All(), Deadline::Infinite()).error())), "unavailable");
  EXPECT_EQ(store_->status().refused_writes, 4u);

  const std::vector<Operation> mixed{Operation::Get("a"), Operation::Put("a", "4"), Operation::Get("a")};
  std::vector<OperationResult> results(mixed.size());
  store_->Execute(mixed, results, Deadline::Infinite());
  EXPECT_EQ(results[0].entry->value, "1");
  EXPECT_EQ(CodeOf(results[1].status), "unavailable");
  EXPECT_EQ(results[2].entry->value, "1");
  GiveBack();
  EXPECT_EQ(Put("a", "5"), "ok");
  EXPECT_EQ(Get("a"), "5");
  EXPECT_EQ(store_->status().switches, 1u);
  EXPECT_EQ(store_->status().returns, 1u);
}

TEST_F(FailoverTest, a_primary_that_hangs_is_lost_as_well_and_its_calls_end) {
  OpenCopied();
  ASSERT_EQ(Put("a", "1"), "ok");
  AwaitCopied();
  primary_->Set(State::kHangs);
  const auto asked = std::chrono::steady_clock::now();
  EXPECT_EQ(Get("a"), "deadline_exceeded");
  EXPECT_LT(std::chrono::steady_clock::now() - asked, std::chrono::seconds{5});
  AwaitServing("secondary");
  EXPECT_EQ(Get("a"), "1");
  GiveBack();
  EXPECT_EQ(Put("a", "2"), "ok");
}

TEST_F(FailoverTest, without_a_complete_copy_there_is_no_switch) {
  PutElsewhere("a", "1");
  secondary_->Set(State::kGone);
  Open();
  primary_->Set(State::kGone);
  ASSERT_TRUE(Eventually([this] { return !store_->status().reason.empty(); }));
  secondary_->Set(State::kThere);
  ASSERT_TRUE(Eventually([this] { return store_->status().reason.find("no complete copy") != std::string::npos; }));
  EXPECT_EQ(store_->status().serving, "primary");
  EXPECT_EQ(Get("a"), "unavailable");
  primary_->Set(State::kThere);
  AwaitCopied();
  ASSERT_TRUE(Eventually([this] { return store_->status().reason.empty(); }));
  Lose();
  EXPECT_EQ(Get("a"), "1");
}

TEST_F(FailoverTest, a_copy_that_is_too_old_is_not_served) {
  options_.max_lag = std::chrono::seconds{10};
  OpenCopied();
  ASSERT_EQ(Put("a", "1"), "ok");
  AwaitCopied();
  secondary_->Set(State::kGone);  // so that nothing is copied any more
  ASSERT_EQ(Put("a", "2"), "ok");
  clock_.Advance(std::chrono::minutes{1});
  primary_->Set(State::kGone);
  ASSERT_TRUE(Eventually([this] { return store_->status().reason.find("failover_max_lag") != std::string::npos; }))
      << store_->status().reason;
  EXPECT_EQ(store_->status().serving, "primary");
}

TEST_F(FailoverTest, few_failures_or_few_successes_change_nothing) {
  Hysteresis judge(3, 4);
  for (const bool ok : {false, false, true, false, false, true}) {
    judge.Note(ok);
    EXPECT_FALSE(judge.lost());
  }
  for (int i = 0; i < 3; ++i) judge.Note(false);
  EXPECT_TRUE(judge.lost());
  for (const bool ok : {true, true, true, false, true, true, true}) {
    judge.Note(ok);
    EXPECT_FALSE(judge.back());
  }
  judge.Note(true);
  EXPECT_TRUE(judge.back());
}

TEST_F(FailoverTest, what_the_feed_missed_is_found_by_comparing_deletes_too) {
  OpenCopied();
  ASSERT_EQ(Put("changed", "1"), "ok");
  ASSERT_EQ(Put("deleted", "1"), "ok");
  AwaitCopied();
  primary_->SetChangeListener(nullptr);  // nobody tells of these
  PutElsewhere("changed", "2");
  PutElsewhere("new", "1");
  ASSERT_TRUE(storage::ExecuteOne(*primary_, Operation::Delete("deleted"), Deadline::Infinite()).status.ok());
  store_->listener()->OnMissed();
  AwaitCopied();
  Lose();
  EXPECT_EQ(Get("changed"), "2");
  EXPECT_EQ(Get("new"), "1");
  EXPECT_EQ(Get("deleted"), "not_found");
}

TEST_F(FailoverTest, changes_beyond_the_bounds_of_the_queue_are_not_forgotten) {
  options_.copier.queue.keys = 8;
  OpenCopied();
  secondary_->Set(State::kHangs);
  for (int i = 0; i < 500; ++i) ASSERT_EQ(Put(std::to_string(i), "v"), "ok");
  EXPECT_LE(store_->status().pending_keys, 300u);
  secondary_->Set(State::kThere);
  AwaitCopied();
  Lose();
  EXPECT_EQ(store_->Count(storage::KeyRange::All(), Deadline::Infinite()).value(), 500u);
}

TEST_F(FailoverTest, locks_and_fences_are_never_read_from_the_copy) {
  OpenCopied();
  const storage::KeySpace space("main", "default");
  const std::string lock = space.In(storage::Room::kLocks).Wrap("l");
  const std::string key = space.In(storage::Room::kKeys).Wrap("k");
  ASSERT_EQ(Put(lock, "held"), "ok");
  ASSERT_EQ(Put(key, "v"), "ok");
  AwaitCopied();
  Lose();
  EXPECT_EQ(Get(key), "v");
  EXPECT_EQ(Get(lock), "unavailable");
}

TEST_F(FailoverTest, writers_beside_the_copier_leave_the_copy_of_the_last_state) {
  OpenCopied();
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([this, writer] {
      for (int i = 0; i < 500; ++i) {
        const std::string key = std::to_string((i * 7 + writer) % 20);
        if (i % 11 == 0) {
          Run(Operation::Delete(key));
        } else {
          Put(key, std::to_string(i) + "," + std::to_string(writer));
        }
        if (i % 100 == 50) store_->listener()->OnMissed();
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  AwaitCopied();
  const auto all = [this] { return store_->Scan({}, Deadline::Infinite()).value().entries; };
  const auto there = all();
  Lose();
  const auto copied = all();
  ASSERT_EQ(there.size(), copied.size());
  for (std::size_t i = 0; i < there.size(); ++i) {
    EXPECT_EQ(there[i].key, copied[i].key);
    EXPECT_EQ(there[i].entry->value, copied[i].entry->value);
    EXPECT_EQ(there[i].entry->version, copied[i].entry->version);
  }
}

}  // namespace
}  // namespace holdfast::composition
