#include "service/idempotency/replays.h"

#include <gtest/gtest.h>

#include "service/backends/memory/memory_backend.h"

namespace holdfast::idempotency {
namespace {

class ReplaysTest : public testing::Test {
 protected:
  Standing ClaimAs(const std::string& fingerprint) {
    auto standing = Claim(*rooms_, {"row", fingerprint}, clock_.Now(), clock_.Now() + std::chrono::seconds{10},
                          std::chrono::hours{24}, Deadline::Infinite());
    EXPECT_TRUE(standing.ok());
    return std::move(standing).value();
  }
  Refusal RefusalOf(const std::string& fingerprint) { return std::get<Refusal>(ClaimAs(fingerprint)); }

  ManualClock clock_;
  std::shared_ptr<storage::Backend> rooms_ = storage::MakeMemoryBackend({}, clock_);
  const Request request_{"row", "a"};
};

TEST_F(ReplaysTest, TheFirstRunsAndTheOthersGetItsAnswer) {
  const auto claimed = std::get<Claimed>(ClaimAs("a"));
  EXPECT_EQ(RefusalOf("a"), Refusal::kRunning);
  EXPECT_EQ(RefusalOf("b"), Refusal::kOtherRequest);
  ASSERT_TRUE(Keep(*rooms_, request_, claimed.version, {200, "text/plain", {}, "hello"}, 1'000, std::chrono::hours{24},
                   Deadline::Infinite())
                  .ok());
  EXPECT_EQ(std::get<Answer>(ClaimAs("a")).body, "hello");
  EXPECT_EQ(RefusalOf("b"), Refusal::kOtherRequest);
  clock_.Advance(std::chrono::hours{25});
  EXPECT_TRUE(std::holds_alternative<Claimed>(ClaimAs("a"))) << "a day later it is a new request";
}

TEST_F(ReplaysTest, WhatWasBegunBeforeACrashIsUnknownAndNotRunAgain) {
  ClaimAs("a");
  clock_.Advance(std::chrono::seconds{10});
  EXPECT_EQ(RefusalOf("a"), Refusal::kUnknown);
  EXPECT_EQ(RefusalOf("a"), Refusal::kUnknown);
}

TEST_F(ReplaysTest, AReleasedRowMayBeClaimedAgain) {
  const auto claimed = std::get<Claimed>(ClaimAs("a"));
  ASSERT_TRUE(Release(*rooms_, request_, claimed.version, Deadline::Infinite()).ok());
  const auto again = std::get<Claimed>(ClaimAs("a"));
  EXPECT_FALSE(Release(*rooms_, request_, claimed.version, Deadline::Infinite()).ok()) << "that claim is no more";
  EXPECT_FALSE(
      Keep(*rooms_, request_, claimed.version, {200, "", {}, ""}, 1'000, std::chrono::hours{24}, Deadline::Infinite())
          .ok());
  EXPECT_TRUE(Release(*rooms_, request_, again.version, Deadline::Infinite()).ok());
}

TEST_F(ReplaysTest, ALongAnswerIsNotKept) {
  const auto claimed = std::get<Claimed>(ClaimAs("a"));
  ASSERT_TRUE(Keep(*rooms_, request_, claimed.version, {200, "", {}, std::string(2'000, 'x')}, 1'000,
                   std::chrono::hours{24}, Deadline::Infinite())
                  .ok());
  EXPECT_EQ(RefusalOf("a"), Refusal::kAnswerNotKept);
}

TEST_F(ReplaysTest, ADamagedRowIsNotRunAgain) {
  ASSERT_TRUE(storage::ExecuteOne(*rooms_, storage::Operation::Put("row", "junk"), Deadline::Infinite()).status.ok());
  const auto standing =
      Claim(*rooms_, request_, clock_.Now(), clock_.Now(), std::chrono::hours{1}, Deadline::Infinite());
  ASSERT_FALSE(standing.ok());
  EXPECT_EQ(standing.error().code(), ErrorCode::kCorruption);
}

}  // namespace
}  // namespace holdfast::idempotency
