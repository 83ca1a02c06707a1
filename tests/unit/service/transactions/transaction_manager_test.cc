#include "service/transactions/transaction_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "service/backends/memory/memory_backend.h"
#include "service/storage/forwarding_backend.h"

namespace holdfast::transactions {
namespace {

using storage::Operation;
using testing::HasSubstr;

enum class Trouble { kNone, kNotBegun, kUnknownNotDone, kUnknownDone };

// A backend whose Transact has the trouble it is told to.
class TroubledBackend : public storage::ForwardingBackend {
 public:
  explicit TroubledBackend(const Clock& clock) : ForwardingBackend(storage::MakeMemoryBackend(Options(), clock)) {}
  std::atomic<Trouble> trouble{Trouble::kNone};

  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override {
    const Trouble now = trouble.load();
    if (now == Trouble::kNotBegun) return Error(ErrorCode::kUnavailable, "not now");
    if (now == Trouble::kUnknownNotDone) return Error(ErrorCode::kOutcomeUnknown, "the peer was silent");
    auto result = ForwardingBackend::Transact(transaction, deadline);
    if (now == Trouble::kUnknownDone) return Error(ErrorCode::kOutcomeUnknown, "the peer was silent");
    return result;
  }

 private:
  static storage::MemoryOptions Options() {
    storage::MemoryOptions options;
    options.limits.max_key_bytes += storage::kReservedKeyBytes;
    return options;
  }
};

class TransactionManagerTest : public testing::Test {
 protected:
  std::string Begin(TransactionManager& manager) {
    const auto begun = manager.Begin(*tenant_, Isolation::kSerializable, std::nullopt);
    EXPECT_TRUE(begun.ok());
    return begun.ok() ? begun->id : "";
  }
  Status Put(TransactionManager& manager, const std::string& id, const std::string& key) {
    return manager.Execute(*tenant_, id, Operation::Put(key, "1"), std::nullopt, Deadline::Infinite()).status;
  }
  Result<Committed> Commit(TransactionManager& manager, const std::string& id) {
    return manager.Commit(*tenant_, id, Deadline::Infinite());
  }
  bool Exists(const std::string& key) {
    return storage::ExecuteOne(*tenant_->keys, Operation::Get(key), Deadline::Infinite()).status.ok();
  }

  ManualClock clock_;
  std::shared_ptr<TroubledBackend> backend_ = std::make_shared<TroubledBackend>(clock_);
  storage::TenantViews views_{backend_, "main", storage::Limits{}};
  std::shared_ptr<const storage::TenantView> tenant_ = views_.Find("default");
  std::shared_ptr<const storage::TenantView> stranger_ = views_.Find("team-b");
  ManagerOptions options_;
  metrics::Registry registry_;
  std::optional<TransactionManager> manager_{std::in_place, options_, clock_, registry_};
};

TEST_F(TransactionManagerTest, AnIdIsGoodForItsTenantOnly) {
  const std::string id = Begin(*manager_);
  EXPECT_EQ(id.size(), 32u);
  EXPECT_NE(id, Begin(*manager_));
  const Error refused = manager_->Savepoint(*stranger_, id, "s", Deadline::Infinite()).error();
  EXPECT_EQ(refused.code(), ErrorCode::kNotFound);
  EXPECT_EQ(refused.message(), manager_->Savepoint(*tenant_, "made up", "s", Deadline::Infinite()).error().message());
  EXPECT_EQ(manager_->Commit(*stranger_, id, Deadline::Infinite()).error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(Put(*manager_, id, "k").ok());
  EXPECT_TRUE(Commit(*manager_, id).ok());
  EXPECT_TRUE(Exists("k"));
}

TEST_F(TransactionManagerTest, ARepeatedCommitGivesTheSameAnswer) {
  const std::string id = Begin(*manager_);
  ASSERT_TRUE(Put(*manager_, id, "k").ok());
  const auto first = Commit(*manager_, id);
  const auto second = Commit(*manager_, id);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->keys.front().key, "k");
  EXPECT_EQ(second->keys.front().version, first->keys.front().version);
  EXPECT_EQ(Put(*manager_, id, "k").error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(manager_->Rollback(*tenant_, id, Deadline::Infinite()).error().message(), HasSubstr("committed"));
}

TEST_F(TransactionManagerTest, ACommitBeforeARestartIsStillKnown) {
  const std::string id = Begin(*manager_);
  const std::string open = Begin(*manager_);
  ASSERT_TRUE(Put(*manager_, id, "k").ok());
  ASSERT_TRUE(Put(*manager_, open, "never").ok());
  ASSERT_TRUE(Commit(*manager_, id).ok());
  manager_.emplace(options_, clock_, registry_);
  const auto repeated = Commit(*manager_, id);
  ASSERT_TRUE(repeated.ok());
  EXPECT_FALSE(repeated->keys_known);
  EXPECT_EQ(Commit(*manager_, open).error().code(), ErrorCode::kNotFound);
  EXPECT_FALSE(Exists("never"));
}

TEST_F(TransactionManagerTest, AnUnknownOutcomeStaysUnknownUntilItIsSeen) {
  for (const Trouble trouble : {Trouble::kUnknownNotDone, Trouble::kUnknownDone}) {
    const std::string id = Begin(*manager_);
    ASSERT_TRUE(Put(*manager_, id, std::to_string(static_cast<int>(trouble))).ok());
    backend_->trouble = trouble;
    EXPECT_EQ(Commit(*manager_, id).error().code(), ErrorCode::kOutcomeUnknown);
    backend_->trouble = Trouble::kNone;
    const auto repeated = Commit(*manager_, id);
    if (trouble == Trouble::kUnknownDone) {
      EXPECT_TRUE(repeated.ok());
    } else {
      ASSERT_FALSE(repeated.ok());
      EXPECT_EQ(repeated.error().code(), ErrorCode::kOutcomeUnknown);
    }
    EXPECT_EQ(Put(*manager_, id, "late").error().code(), ErrorCode::kNotFound);
  }
}

TEST_F(TransactionManagerTest, ACommitThatWasNotBegunMayBeRepeated) {
  const std::string id = Begin(*manager_);
  ASSERT_TRUE(Put(*manager_, id, "k").ok());
  backend_->trouble = Trouble::kNotBegun;
  EXPECT_EQ(Commit(*manager_, id).error().code(), ErrorCode::kUnavailable);
  backend_->trouble = Trouble::kNone;
  EXPECT_TRUE(Commit(*manager_, id).ok());
  EXPECT_TRUE(Exists("k"));
}

TEST_F(TransactionManagerTest, AConflictEndsItAndIsSaidAgain) {
  const std::string id = Begin(*manager_);
  ASSERT_TRUE(Put(*manager_, id, "k").ok());
  storage::ExecuteOne(*tenant_->keys, Operation::Put("k", "theirs"), Deadline::Infinite());
  EXPECT_EQ(Commit(*manager_, id).error().code(), ErrorCode::kVersionConflict);
  EXPECT_EQ(Commit(*manager_, id).error().code(), ErrorCode::kVersionConflict);
  EXPECT_EQ(manager_->open(), 0u);
  EXPECT_TRUE(manager_->Rollback(*tenant_, id, Deadline::Infinite()).ok());
}

TEST_F(TransactionManagerTest, ItIsRolledBackAtItsTimeoutAndSaysSo) {
  const auto begun = manager_->Begin(*tenant_, Isolation::kReadCommitted, std::chrono::seconds{2});
  ASSERT_TRUE(begun.ok());
  EXPECT_EQ(begun->expires_at, clock_.Now() + std::chrono::seconds{2});
  ASSERT_TRUE(Put(*manager_, begun->id, "k").ok());
  clock_.Advance(std::chrono::seconds{2});
  manager_->ExpireDue();
  EXPECT_EQ(manager_->open(), 0u);
  const auto refused = Commit(*manager_, begun->id);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(refused.error().message(), HasSubstr("timeout"));
  EXPECT_FALSE(Exists("k"));
}

TEST_F(TransactionManagerTest, TimeoutsHaveBounds) {
  for (const std::chrono::microseconds timeout : {std::chrono::microseconds{0}, std::chrono::microseconds{-1},
                                                  options_.maximum_timeout + std::chrono::seconds{1}}) {
    const auto begun = manager_->Begin(*tenant_, Isolation::kSerializable, timeout);
    ASSERT_FALSE(begun.ok());
    EXPECT_EQ(begun.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST_F(TransactionManagerTest, TenantsCannotTakeEachOthersPlaces) {
  options_.max_open = 3;
  options_.max_open_per_tenant = 2;
  manager_.emplace(options_, clock_, registry_);
  const std::string id = Begin(*manager_);
  Begin(*manager_);
  const auto refused = manager_->Begin(*tenant_, Isolation::kSerializable, std::nullopt);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(), HasSubstr("open_per_namespace"));
  EXPECT_TRUE(manager_->Begin(*stranger_, Isolation::kSerializable, std::nullopt).ok());
  ASSERT_TRUE(manager_->Rollback(*tenant_, id, Deadline::Infinite()).ok());
  EXPECT_EQ(Begin(*manager_).size(), 32u);
}

TEST_F(TransactionManagerTest, WhatAllOfThemHoldIsBounded) {
  options_.max_total_bytes = 2;
  manager_.emplace(options_, clock_, registry_);
  const std::string first = Begin(*manager_);
  const std::string second = Begin(*manager_);
  const auto savepoint = manager_->Savepoint(*tenant_, second, "s", Deadline::Infinite());
  ASSERT_TRUE(savepoint.ok());
  ASSERT_TRUE(Put(*manager_, second, "key").ok());
  const Status refused = Put(*manager_, first, "k");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message(), HasSubstr("transactions.total_bytes"));
  // The room comes back with what is undone, rolled back or committed.
  ASSERT_TRUE(manager_->RollbackTo(*tenant_, second, "s", Deadline::Infinite()).ok());
  ASSERT_TRUE(manager_->Rollback(*tenant_, second, Deadline::Infinite()).ok());
  ASSERT_TRUE(Put(*manager_, first, "key").ok());
  ASSERT_FALSE(Put(*manager_, first, "other").ok());
  ASSERT_TRUE(Commit(*manager_, first).ok());
  const std::string third = Begin(*manager_);
  EXPECT_TRUE(Put(*manager_, third, "key").ok());
}

TEST_F(TransactionManagerTest, WhatIsRememberedIsBounded) {
  options_.max_remembered = 2;
  manager_.emplace(options_, clock_, registry_);
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(Begin(*manager_));
    ASSERT_TRUE(manager_->Rollback(*tenant_, ids.back(), Deadline::Infinite()).ok());
  }
  EXPECT_EQ(manager_->Rollback(*tenant_, ids[0], Deadline::Infinite()).error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(manager_->Rollback(*tenant_, ids[2], Deadline::Infinite()).ok());
}

TEST_F(TransactionManagerTest, ConcurrentRequestsOfOneTransactionRunOneBehindTheOther) {
  const std::string id = Begin(*manager_);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        const auto result =
            manager_->Execute(*tenant_, id, Operation::Increment("n", 1), std::nullopt, Deadline::Infinite());
        EXPECT_TRUE(result.status.ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(Commit(*manager_, id).ok());
  const auto stored = storage::ExecuteOne(*tenant_->keys, Operation::Get("n"), Deadline::Infinite());
  EXPECT_EQ(stored.entry->value, "400");
}

}  // namespace
}  // namespace holdfast::transactions
