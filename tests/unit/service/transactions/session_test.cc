#include "service/transactions/session.h"

#include <gtest/gtest.h>

#include "base/time/clock.h"
#include "service/backends/memory/memory_backend.h"

namespace holdfast::transactions {
namespace {

using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

class SessionTest : public testing::Test {
 protected:
  Session Begin(Isolation isolation, SessionLimits limits = {}) { return {backend_, isolation, limits, clock_}; }
  OperationResult Now(const Operation& operation) {
    return storage::ExecuteOne(*backend_, operation, Deadline::Infinite());
  }
  std::string Stored(const std::string& key) {
    const OperationResult result = Now(Operation::Get(key));
    return result.entry ? result.entry->value : "(none)";
  }
  static OperationResult Do(Session& session, const Operation& operation, std::optional<Fence> fence = {}) {
    return session.Execute(operation, fence, Deadline::Infinite());
  }
  static std::string Seen(Session& session, const std::string& key) {
    const OperationResult result = Do(session, Operation::Get(key));
    return result.entry ? result.entry->value : "(none)";
  }
  static std::string Commit(Session& session) {
    const auto keys = session.Commit("", std::chrono::hours{1}, Deadline::Infinite());
    return std::string(keys.ok() ? "ok" : ErrorCodeName(keys.error().code()));
  }

  ManualClock clock_;
  std::shared_ptr<storage::Backend> backend_ = storage::MakeMemoryBackend({}, clock_);
};

constexpr Isolation kEvery[] = {Isolation::kReadCommitted, Isolation::kRepeatableRead, Isolation::kSerializable};

TEST_F(SessionTest, WritesAreSeenInsideAtOnceAndOutsideAtTheCommit) {
  for (const Isolation isolation : kEvery) {
    const std::string key(IsolationName(isolation));
    Session session = Begin(isolation);
    EXPECT_FALSE(Do(session, Operation::Put(key, "1")).existed);
    EXPECT_EQ(Do(session, Operation::Increment(key, 4)).number, 5);
    EXPECT_EQ(Seen(session, key), "5");
    EXPECT_EQ(Stored(key), "(none)");
    const auto keys = session.Commit("", std::chrono::hours{1}, Deadline::Infinite());
    ASSERT_TRUE(keys.ok());
    ASSERT_EQ(keys->size(), 1u);
    EXPECT_EQ(Stored(key), "5");
    EXPECT_EQ(keys->front().version, Now(Operation::Get(key)).version);
  }
}

TEST_F(SessionTest, ReadCommittedSeesTheNewestValueTheOthersTheFirst) {
  for (const Isolation isolation : kEvery) {
    Now(Operation::Put("k", "old"));
    Session session = Begin(isolation);
    EXPECT_EQ(Seen(session, "k"), "old");
    Now(Operation::Put("k", "new"));
    EXPECT_EQ(Seen(session, "k"), isolation == Isolation::kReadCommitted ? "new" : "old");
  }
}

TEST_F(SessionTest, NoLevelLosesAnUpdate) {
  for (const Isolation isolation : kEvery) {
    Now(Operation::Put("n", "1"));
    Session first = Begin(isolation);
    Session second = Begin(isolation);
    Do(first, Operation::Increment("n", 1));
    Do(second, Operation::Increment("n", 1));
    EXPECT_EQ(Commit(first), "ok");
    EXPECT_EQ(Commit(second), "version_conflict");
    EXPECT_EQ(Stored("n"), "2");
  }
}

TEST_F(SessionTest, OnlySerializableRefusesWriteSkew) {
  for (const Isolation isolation : kEvery) {
    Now(Operation::Put("a", "on"));
    Now(Operation::Put("b", "on"));
    Session first = Begin(isolation);
    Session second = Begin(isolation);
    EXPECT_EQ(Seen(first, "b"), "on");
    EXPECT_EQ(Seen(second, "a"), "on");
    Do(first, Operation::Put("a", "off"));
    Do(second, Operation::Put("b", "off"));
    EXPECT_EQ(Commit(first), "ok");
    EXPECT_EQ(Commit(second), isolation == Isolation::kSerializable ? "version_conflict" : "ok");
  }
}

TEST_F(SessionTest, SerializableRemembersThatAKeyWasAbsent) {
  Session session = Begin(Isolation::kSerializable);
  EXPECT_EQ(Seen(session, "ghost"), "(none)");
  Now(Operation::Put("ghost", "there"));
  EXPECT_EQ(Commit(session), "version_conflict");
}

TEST_F(SessionTest, APreconditionHoldsFromTheReadToTheCommit) {
  for (const Isolation isolation : kEvery) {
    Now(Operation::Delete("k"));
    Session session = Begin(isolation);
    EXPECT_TRUE(Do(session, Operation::Put("k", "mine", Precondition::Absent())).status.ok());
    Now(Operation::Put("k", "theirs"));
    EXPECT_EQ(Commit(session), "version_conflict");
    EXPECT_EQ(Stored("k"), "theirs");
  }
}

TEST_F(SessionTest, ABlindPutInReadCommittedNeverConflicts) {
  Session session = Begin(Isolation::kReadCommitted);
  Do(session, Operation::Put("k", "mine"));
  Now(Operation::Put("k", "theirs"));
  EXPECT_EQ(Commit(session), "ok");
  EXPECT_EQ(Stored("k"), "mine");
}

TEST_F(SessionTest, AFailedOperationChangesNothingAndTheTransactionGoesOn) {
  Now(Operation::Put("text", "abc"));
  Session session = Begin(Isolation::kSerializable);
  EXPECT_EQ(Do(session, Operation::Increment("text", 1)).status.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(Do(session, Operation::Take("ghost")).status.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Do(session, Operation::Put("text", "x", Precondition::Absent())).status.error().code(),
            ErrorCode::kAlreadyExists);
  Do(session, Operation::Put("other", "1"));
  EXPECT_EQ(Commit(session), "ok");
  EXPECT_EQ(Stored("text"), "abc");
  EXPECT_EQ(Stored("other"), "1");
}

TEST_F(SessionTest, NoVersionMatchesWhatIsNotCommitted) {
  Session session = Begin(Isolation::kSerializable);
  EXPECT_EQ(Do(session, Operation::Put("k", "1")).version, 0u);
  EXPECT_EQ(Do(session, Operation::Put("k", "2", Precondition::VersionIs(0))).status.error().code(),
            ErrorCode::kVersionConflict);
  EXPECT_TRUE(Do(session, Operation::Put("k", "3", Precondition::Present())).status.ok());
  EXPECT_EQ(Seen(session, "k"), "3");
}

TEST_F(SessionTest, ATtlBeginsAtTheCommit) {
  Session session = Begin(Isolation::kReadCommitted);
  EXPECT_FALSE(Do(session, Operation::Put("k", "1", {}, storage::Expiry::After(std::chrono::seconds{5}))).expires_at);
  clock_.Advance(std::chrono::seconds{10});
  const auto keys = session.Commit("", std::chrono::hours{1}, Deadline::Infinite());
  ASSERT_TRUE(keys.ok());
  EXPECT_EQ(keys->front().expires_at, clock_.Now() + std::chrono::seconds{5});
  EXPECT_EQ(Stored("k"), "1");
}

TEST_F(SessionTest, SavepointsNestAndHideEachOther) {
  Session session = Begin(Isolation::kSerializable);
  Do(session, Operation::Put("k", "1"));
  ASSERT_TRUE(session.Savepoint("a").ok());
  Do(session, Operation::Put("k", "2"));
  ASSERT_TRUE(session.Savepoint("b").ok());
  Do(session, Operation::Delete("k"));
  ASSERT_TRUE(session.Savepoint("a").ok());
  Do(session, Operation::Put("k", "4"));
  ASSERT_TRUE(session.RollbackTo("a").ok());
  EXPECT_EQ(Seen(session, "k"), "(none)");
  ASSERT_TRUE(session.RollbackTo("b").ok());
  EXPECT_EQ(Seen(session, "k"), "2");
  ASSERT_TRUE(session.RollbackTo("a").ok()) << "the first one is seen again";
  EXPECT_EQ(Seen(session, "k"), "1");
  EXPECT_EQ(session.RollbackTo("b").error().code(), ErrorCode::kFailedPrecondition);
  ASSERT_TRUE(session.RollbackTo("").ok());
  EXPECT_EQ(Commit(session), "ok");
  EXPECT_EQ(Stored("k"), "1");
}

TEST_F(SessionTest, WhatWasReadBehindASavepointStaysRead) {
  Session session = Begin(Isolation::kSerializable);
  ASSERT_TRUE(session.Savepoint("s").ok());
  EXPECT_EQ(Seen(session, "k"), "(none)");
  ASSERT_TRUE(session.RollbackTo("s").ok());
  Now(Operation::Put("k", "1"));
  EXPECT_EQ(Commit(session), "version_conflict");
}

TEST_F(SessionTest, AFenceIsCheckedAtTheWriteAndAtTheCommit) {
  Now(Operation::Put("fence", "7"));
  Session session = Begin(Isolation::kReadCommitted);
  EXPECT_EQ(Do(session, Operation::Put("k", "1"), Fence{"fence", 6}).status.error().code(), ErrorCode::kFenced);
  EXPECT_TRUE(Do(session, Operation::Put("k", "1"), Fence{"fence", 7}).status.ok());
  EXPECT_TRUE(Do(session, Operation::Put("k", "2"), Fence{"never issued", 1}).status.ok());
  Now(Operation::Put("fence", "8"));
  EXPECT_EQ(Commit(session), "fenced");
  EXPECT_EQ(Stored("k"), "(none)");
}

TEST_F(SessionTest, LimitsAreNamedAndLeaveTheSessionAsItWas) {
  Session few = Begin(Isolation::kSerializable, {.max_operations = 1, .max_savepoints = 1});
  EXPECT_TRUE(Do(few, Operation::Put("k", "1")).status.ok());
  EXPECT_EQ(Do(few, Operation::Put("k", "2")).status.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(few.Savepoint("a").ok());
  EXPECT_EQ(few.Savepoint("b").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Commit(few), "ok");
  EXPECT_EQ(Stored("k"), "1");

  Session small = Begin(Isolation::kSerializable, {.max_bytes = 10});
  EXPECT_EQ(Do(small, Operation::Put("k", "twelve bytes")).status.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(Seen(small, "k"), "1");
}

}  // namespace
}  // namespace holdfast::transactions
