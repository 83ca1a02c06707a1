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
  // Answers above 1 000 bytes are too long.
  Status KeepAnswer(storage::Version claim, std::string body) {
    return Keep(*rooms_, request_, claim, Done(request_, {200, "text/plain", {}, std::move(body)}, 1'000),
                std::chrono::hours{24}, Deadline::Infinite());
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
  ASSERT_TRUE(KeepAnswer(claimed.version, "hello").ok());
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
  EXPECT_FALSE(KeepAnswer(claimed.version, "").ok());
  EXPECT_TRUE(Release(*rooms_, request_, again.version, Deadline::Infinite()).ok());
}

TEST_F(ReplaysTest, ALongAnswerIsNotKept) {
  const auto claimed = std::get<Claimed>(ClaimAs("a"));
  ASSERT_TRUE(KeepAnswer(claimed.version, std::string(2'000, 'x')).ok());
  EXPECT_EQ(RefusalOf("a"), Refusal::kAnswerNotKept);
}

TEST_F(ReplaysTest, ARecordWithoutAClaimIsForOneOnly) {
  const storage::Operation record =
      Record(request_, Done(request_, {201, "", {{"ETag", "\"7\""}}, "x"}, 1'000), std::chrono::hours{24});
  EXPECT_TRUE(storage::ExecuteOne(*rooms_, record, Deadline::Infinite()).status.ok());
  const Status second = storage::ExecuteOne(*rooms_, record, Deadline::Infinite()).status;
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), ErrorCode::kAlreadyExists);
  const auto answer = std::get<Answer>(ClaimAs("a"));
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.headers.front().second, "\"7\"");
  EXPECT_EQ(RefusalOf("b"), Refusal::kOtherRequest);
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
