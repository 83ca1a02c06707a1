#include "service/api/guarded_transaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/backends/memory/memory_backend.h"

namespace holdfast::api {
namespace {

using storage::Operation;
using storage::Precondition;
using storage::Transaction;

class Unheard : public Responder::Channel {
 public:
  void Deliver(Response&&) override {}
};

class GuardedTransactionTest : public testing::Test {
 protected:
  GuardedTransactionTest() {
    context_.telemetry = std::make_unique<Telemetry>(AccessLog::kOff, nullptr);
    exchange_ = std::make_unique<Exchange>(context_, request_, Responder(std::make_shared<Unheard>()));
    exchange_->SetTenant(tenants_.Find("team"));
  }
  static std::shared_ptr<storage::Backend> Backend() {
    storage::MemoryOptions options;
    options.limits.max_key_bytes += storage::kReservedKeyBytes;
    return storage::MakeMemoryBackend(options);
  }
  std::string Stored(const std::string& key) {
    const auto result = storage::ExecuteOne(exchange_->keys(), Operation::Get(key), Deadline::Infinite());
    return result.entry ? result.entry->value : "(none)";
  }
  // In a room that no client reaches.
  static Operation Row(Precondition precondition = {}) {
    std::string key(1, static_cast<char>(storage::Room::kReplays));
    return Operation::Put(key.append("row"), "1", std::move(precondition));
  }

  storage::TenantViews tenants_{Backend(), "main", storage::Limits{}};
  ApiContext context_;
  Request request_;
  std::unique_ptr<Exchange> exchange_;
};

TEST_F(GuardedTransactionTest, TheClientSeesItsOwnOperationsOnly) {
  Transaction transaction;
  transaction.then = {Operation::Put("a", "1"), Operation::Get("a")};
  const auto done = TransactGuarded(*exchange_, {{Row(), Row()}, {}}, transaction);
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->guards.size(), 2u);
  EXPECT_NE(done->guards.back().version, 0u);
  ASSERT_EQ(done->result.results.size(), 2u);
  EXPECT_EQ(done->result.results[1].entry->value, "1");
  EXPECT_EQ(Stored("a"), "1");
}

TEST_F(GuardedTransactionTest, AGuardThatFailsRefusesAllOfIt) {
  Transaction transaction;
  transaction.then = {Operation::Put("a", "1")};
  ASSERT_TRUE(TransactGuarded(*exchange_, {{Row()}, {}}, {}).ok());
  const auto refused = TransactGuarded(*exchange_, {{Row(), Row(Precondition::Absent())}, {}}, transaction);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(Stored("a"), "(none)");
}

// A branch without guards and operations has no results to take guards off: this crashed the service.
TEST_F(GuardedTransactionTest, TheOtherBranchMayBeEmpty) {
  Transaction transaction;
  transaction.conditions = {{"a", Precondition::Present()}};
  transaction.then = {Operation::Put("a", "1")};
  const auto other = TransactGuarded(*exchange_, {{Row()}, {}}, transaction);
  ASSERT_TRUE(other.ok());
  EXPECT_FALSE(other->result.conditions_held);
  EXPECT_TRUE(other->guards.empty());
  EXPECT_TRUE(other->result.results.empty());
}

TEST_F(GuardedTransactionTest, WhatFailedIsNumberedAsTheClientCounts) {
  Transaction transaction;
  transaction.then = {Operation::Put("a", "1"), Operation::Take("absent")};
  const auto failed = TransactGuarded(*exchange_, {{Row()}, {}}, transaction);
  ASSERT_TRUE(failed.ok());
  EXPECT_FALSE(failed->result.applied);
  EXPECT_THAT(failed->result.results[0].status.error().message(), testing::HasSubstr("operation 1 "));
  EXPECT_EQ(failed->result.results[1].status.error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(TransactGuarded(*exchange_, {{Row(Precondition::Absent())}, {}}, {}).ok()) << "the row was not written";
}

}  // namespace
}  // namespace holdfast::api
