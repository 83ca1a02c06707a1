// Writes that the secondary takes, and how they come to the primary.
#include <algorithm>

#include "tests/unit/service/composition/failover_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::composition {
namespace {

using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

class FailoverReplay : public FailoverTest {
 protected:
  void OpenLost() {
    OpenCopied(FailoverMode::kReadWrite);
    for (const char* key : {"a", "b", "c"}) ASSERT_EQ(Put(key, "primary"), "ok");
    AwaitCopied();
    Lose();
  }
  // What somebody writes to the primary while this store is on its secondary.
  void PutBehindItsBack(const std::string& key, const std::string& value) {
    primary_->Set(State::kThere);
    PutElsewhere(key, value);
  }
};

TEST_F(FailoverReplay, what_the_secondary_took_is_read_there_and_in_the_primary_afterwards) {
  OpenLost();
  const OperationResult put = Run(Operation::Put("a", "secondary"));
  ASSERT_TRUE(put.status.ok());
  EXPECT_TRUE(put.existed);
  EXPECT_GT(put.version, kSecondaryVersions);
  const OperationResult again = Run(Operation::Put("a", "secondary 2"));
  EXPECT_GT(again.version, put.version);
  ASSERT_EQ(Put("new", "secondary"), "ok");
  ASSERT_TRUE(Run(Operation::Delete("b")).status.ok());
  ASSERT_TRUE(Run(Operation::Delete("never there")).status.ok());
  EXPECT_EQ(Get("a"), "secondary 2");
  EXPECT_EQ(Get("new"), "secondary");
  EXPECT_EQ(Get("b"), "not_found");
  EXPECT_EQ(store_->status().journal_entries, 4u);
  GiveBack();
  EXPECT_EQ(Get("a"), "secondary 2");
  EXPECT_EQ(Get("new"), "secondary");
  EXPECT_EQ(Get("b"), "not_found");
  EXPECT_EQ(Get("c"), "primary");
  EXPECT_LT(Run(Operation::Get("a")).version, kSecondaryVersions);
  EXPECT_EQ(store_->status().journal_entries, 0u);
  EXPECT_EQ(store_->status().replayed, 4u);
  EXPECT_TRUE(Conflicts().empty());
  // A version of the secondary matches nothing any more.
  EXPECT_EQ(CodeOf(Run(Operation::Put("a", "x", Precondition::VersionIs(again.version))).status), "version_conflict");
  AwaitCopied();
  Lose();
  EXPECT_EQ(Get("a"), "secondary 2");
  EXPECT_LT(Run(Operation::Get("a")).version, kSecondaryVersions);
}

TEST_F(FailoverReplay, what_depends_on_what_stands_there_is_refused) {
  OpenLost();
  const auto version = Run(Operation::Get("a")).version;
  for (const Operation& operation :
       {Operation::Put("a", "x", Precondition::VersionIs(version)), Operation::Put("z", "x", Precondition::Absent()),
        Operation::Increment("n", 1), Operation::Take("a"), Operation::Touch("a", storage::Expiry::Never())}) {
    const Status status = Run(operation).status;
    ASSERT_EQ(CodeOf(status), "unavailable");
    EXPECT_NE(status.error().message().find("precondition"), std::string::npos);
  }
  storage::Transaction transaction;
  transaction.then = {Operation::Put("a", "x")};
  EXPECT_EQ(CodeOf(Status(store_->Transact(transaction, Deadline::Infinite()).error())), "unavailable");
  GiveBack();
  EXPECT_EQ(Get("a"), "primary");
  EXPECT_EQ(store_->status().replayed, 0u);
}

// The audit of the next two: nothing that the primary acknowledged may be gone.
TEST_F(FailoverReplay, a_newer_version_of_the_primary_stands_and_the_other_write_is_kept_as_conflict) {
  OpenLost();
  ASSERT_EQ(Put("a", "secondary"), "ok");
  ASSERT_EQ(Put("new", "secondary"), "ok");
  ASSERT_TRUE(Run(Operation::Delete("b")).status.ok());
  for (const char* key : {"a", "new", "b"}) PutBehindItsBack(key, "newer");
  GiveBack();
  for (const char* key : {"a", "new", "b"}) EXPECT_EQ(Get(key), "newer") << key;
  EXPECT_EQ(store_->status().conflicts, 3u);
  EXPECT_EQ(store_->status().replayed, 0u);
  const auto conflicts = Conflicts();
  ASSERT_EQ(conflicts.size(), 3u);
  EXPECT_EQ(conflicts[0].key, "a");
  EXPECT_EQ(conflicts[0].entry->value, "secondary");
  EXPECT_GT(conflicts[0].base, 0u);
  EXPECT_EQ(conflicts[1].key, "b");
  EXPECT_EQ(conflicts[1].entry, nullptr);
  EXPECT_EQ(conflicts[2].key, "new");
  EXPECT_EQ(conflicts[2].base, 0u);
  AwaitCopied();
  Lose();
  EXPECT_EQ(Get("a"), "newer");
}

TEST_F(FailoverReplay, control_a_replay_that_looks_at_no_version_is_caught) {
  OpenLost();
  primary_->ForgetPreconditions();
  ASSERT_EQ(Put("a", "secondary"), "ok");
  PutBehindItsBack("a", "newer");
  GiveBack();
  EXPECT_NE(Get("a"), "newer");
  EXPECT_EQ(store_->status().conflicts, 0u);
}

TEST_F(FailoverReplay, a_key_that_the_primary_deleted_meanwhile_stays_deleted) {
  OpenLost();
  ASSERT_EQ(Put("a", "secondary"), "ok");
  primary_->Set(State::kThere);
  ASSERT_TRUE(storage::ExecuteOne(*primary_, Operation::Delete("a"), Deadline::Infinite()).status.ok());
  GiveBack();
  EXPECT_EQ(Get("a"), "not_found");
  ASSERT_EQ(Conflicts().size(), 1u);
}

TEST_F(FailoverReplay, what_expired_while_the_primary_was_away_is_no_conflict) {
  OpenCopied(FailoverMode::kReadWrite);
  ASSERT_TRUE(Run(Operation::Put("a", "1", {}, storage::Expiry::After(std::chrono::minutes{1}))).status.ok());
  AwaitCopied();
  Lose();
  ASSERT_EQ(Put("a", "2"), "ok");
  clock_.Advance(std::chrono::minutes{2});
  GiveBack();
  EXPECT_EQ(Get("a"), "2");
  EXPECT_TRUE(Conflicts().empty());
}

TEST_F(FailoverReplay, one_that_is_cut_off_goes_on_later_and_writes_nothing_twice) {
  OpenLost();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Put("k" + std::to_string(i), std::to_string(i)), "ok");
  primary_->GoneBehind(3);
  primary_->Set(State::kThere);
  ASSERT_TRUE(Eventually([this] { return store_->status().reason.find("replaying") != std::string::npos; }));
  AwaitServing("secondary");
  EXPECT_GT(store_->status().journal_entries, 0u);
  EXPECT_LT(store_->status().journal_entries, 1000u);
  EXPECT_EQ(Put("k0", "written twice"), "ok");
  primary_->GoneBehind(-1);
  GiveBack();
  EXPECT_EQ(Get("k0"), "written twice");
  for (int i = 1; i < 1000; ++i) ASSERT_EQ(Get("k" + std::to_string(i)), std::to_string(i));
  EXPECT_TRUE(Conflicts().empty());
}

// The secondary fails when the replayed rows are to be taken out of the journal.
TEST_F(FailoverReplay, rows_that_are_there_already_are_no_conflicts) {
  OpenLost();
  for (int i = 0; i < 10; ++i) ASSERT_EQ(Put("k" + std::to_string(i), std::to_string(i)), "ok");
  ASSERT_TRUE(Run(Operation::Delete("b")).status.ok());
  secondary_->GoneBehind(0);
  primary_->Set(State::kThere);
  ASSERT_TRUE(Eventually([this] { return store_->status().reason.find("replaying") != std::string::npos; }));
  secondary_->GoneBehind(-1);
  secondary_->Set(State::kThere);
  AwaitServing("primary");
  EXPECT_TRUE(Conflicts().empty());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Get("k" + std::to_string(i)), std::to_string(i));
  EXPECT_EQ(Get("b"), "not_found");
}

TEST_F(FailoverReplay, what_an_earlier_process_took_is_replayed_before_anything_is_served) {
  OpenLost();
  ASSERT_EQ(Put("a", "secondary"), "ok");
  const auto version = Run(Operation::Get("a")).version;
  store_.reset();
  clock_.Advance(std::chrono::seconds{1});
  Open(FailoverMode::kReadWrite);
  EXPECT_EQ(store_->status().serving, "replaying");
  EXPECT_EQ(CodeOf(Run(Operation::Get("a"), Deadline::After(std::chrono::milliseconds{20})).status), "unavailable");
  primary_->Set(State::kThere);
  EXPECT_EQ(Get("a"), "secondary");  // waits
  EXPECT_EQ(store_->status().serving, "primary");
  EXPECT_TRUE(Conflicts().empty());
  AwaitCopied();
  Lose();
  ASSERT_EQ(Put("a", "once more"), "ok");
  EXPECT_GT(Run(Operation::Get("a")).version, version);
}

TEST_F(FailoverReplay, a_version_of_the_secondary_is_not_given_again_after_a_restart_with_the_clock_set_back) {
  OpenLost();
  const OperationResult before = Run(Operation::Put("a", "before"));
  ASSERT_TRUE(before.status.ok());
  GiveBack();
  store_.reset();
  clock_.JumpTo(clock_.Now() - std::chrono::hours{1});
  OpenCopied(FailoverMode::kReadWrite);
  Lose();
  const OperationResult after = Run(Operation::Put("a", "after"));
  ASSERT_TRUE(after.status.ok());
  EXPECT_GT(after.version, before.version);
}

TEST_F(FailoverReplay, the_journal_is_bounded) {
  options_.journal.max_entries = 5;
  OpenLost();
  int taken = 0;
  for (int i = 0; i < 10; ++i) taken += Put("k" + std::to_string(i), "v") == "ok" ? 1 : 0;
  EXPECT_EQ(taken, 5);
  const Status refused = Run(Operation::Put("k9", "v")).status;
  ASSERT_EQ(CodeOf(refused), "unavailable");
  EXPECT_NE(refused.error().message().find("failover_journal_keys"), std::string::npos);
  EXPECT_EQ(Put("k0", "again"), "ok");
  GiveBack();
  EXPECT_EQ(Get("k0"), "again");
}

// Acknowledged writes beside switches there and back: each is in the primary at the end, or is a conflict.
TEST_F(FailoverReplay, no_acknowledged_write_goes_without_a_trace_while_it_switches) {
  OpenCopied(FailoverMode::kReadWrite);
  std::atomic<bool> stop{false};
  constexpr int kWriters = 3;
  std::array<std::map<std::string, std::string>, kWriters> acknowledged;
  std::array<std::map<std::string, std::vector<std::string>>, kWriters> unknown;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      const auto at = static_cast<std::size_t>(writer);
      for (int i = 0; !stop; ++i) {
        const std::string key = std::to_string(writer) + ":" + std::to_string(i % 50);
        const std::string value = std::to_string(i);
        const std::string code = Put(key, value);
        if (code == "ok") {
          acknowledged[at][key] = value;
          unknown[at][key].clear();
        } else {
          unknown[at][key].push_back(value);
        }
      }
    });
  }
  for (int round = 0; round < 5; ++round) {
    Lose(round % 2 == 0 ? State::kGone : State::kHangs);
    EXPECT_TRUE(Eventually([&] { return store_->status().journal_entries > 10; }));
    GiveBack();
    AwaitCopied();
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  const auto conflicts = Conflicts();
  for (int writer = 0; writer < kWriters; ++writer) {
    const auto at = static_cast<std::size_t>(writer);
    for (const auto& [key, value] : acknowledged[at]) {
      const std::string read = Get(key);
      const auto& maybe = unknown[at][key];
      const bool kept =
          std::any_of(conflicts.begin(), conflicts.end(), [key = key, value = value](const auto& conflict) {
            return conflict.key == key && conflict.entry && conflict.entry->value == value;
          });
      EXPECT_TRUE(read == value || kept || std::find(maybe.begin(), maybe.end(), read) != maybe.end())
          << key << " is " << read << ", acknowledged was " << value;
    }
  }
  EXPECT_EQ(store_->status().switches, 5u);
}

}  // namespace
}  // namespace holdfast::composition
