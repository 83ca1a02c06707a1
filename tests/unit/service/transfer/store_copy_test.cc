// What a copy replaces and what it leaves alone; and what it bears with.
#include "service/transfer/store_copy.h"

#include <gtest/gtest.h>

#include "base/time/clock.h"
#include "service/transfer/page_walk.h"
#include "tests/unit/service/resilience/scripted_backend.h"

namespace holdfast::transfer {
namespace {

using storage::ExecuteOne;
using storage::Operation;

constexpr BackoffPolicy kNoPauses{std::chrono::nanoseconds{1}, std::chrono::nanoseconds{1}, 0.0};

class StoreCopyTest : public testing::Test {
 protected:
  static void Put(storage::Backend& backend, const std::string& key, const std::string& value) {
    ASSERT_TRUE(ExecuteOne(backend, Operation::Put(key, value), Deadline::Infinite()).status.ok());
  }
  static storage::EntryPtr Get(storage::Backend& backend, const std::string& key) {
    return ExecuteOne(backend, Operation::Get(key), Deadline::Infinite()).entry;
  }
  Result<std::vector<CopyFailure>> CopyAll(storage::Backend& target, Replace replace = Replace::kOlder) {
    PageWalk walk(*source_, storage::KeyRange::All(), "", kNoPauses);
    return StoreCopy(target, replace, kNoPauses).Copy(walk.Next().value(), counts_);
  }

  ManualClock source_clock_;
  ManualClock target_clock_;
  const std::unique_ptr<storage::Backend> source_ = storage::MakeMemoryBackend({}, source_clock_);
  const std::unique_ptr<storage::Backend> target_ = storage::MakeMemoryBackend({}, target_clock_);
  CopyCounts counts_;
};

TEST_F(StoreCopyTest, CopiesAllOfAnEntry) {
  Operation put = Operation::Put("k", std::string("\x00\xff", 2), {}, storage::Expiry::After(std::chrono::hours{1}));
  put.content_type = "image/png";
  put.metadata = R"({"b":1.50})";
  put.tags = {"b", "a"};
  ASSERT_TRUE(ExecuteOne(*source_, put, Deadline::Infinite()).status.ok());
  ASSERT_TRUE(CopyAll(*target_).ok());
  const storage::EntryPtr copy = Get(*target_, "k");
  ASSERT_NE(nullptr, copy);
  EXPECT_EQ(put.value, copy->value);
  EXPECT_EQ("image/png", copy->content_type);
  EXPECT_EQ(put.metadata, copy->metadata);
  EXPECT_EQ(put.tags, copy->tags);
  EXPECT_EQ(Get(*source_, "k")->expires_at, copy->expires_at);
  EXPECT_EQ(1u, counts_.copied);
}

TEST_F(StoreCopyTest, ReplacesWhatIsOlderAndLeavesWhatIsNewer) {
  Put(*target_, "older", "target");
  source_clock_.Advance(std::chrono::seconds{1});
  Put(*source_, "older", "source");
  Put(*source_, "newer", "source");
  Put(*source_, "same", "both");
  target_clock_.Advance(std::chrono::seconds{2});
  Put(*target_, "newer", "target");
  Put(*target_, "same", "both");
  Put(*target_, "alone", "target");
  const storage::Version same = Get(*target_, "same")->version;
  ASSERT_TRUE(CopyAll(*target_).ok());
  EXPECT_EQ("source", Get(*target_, "older")->value);
  EXPECT_EQ("target", Get(*target_, "newer")->value);
  EXPECT_EQ("target", Get(*target_, "alone")->value);
  EXPECT_EQ(same, Get(*target_, "same")->version);
  EXPECT_EQ(1u, counts_.copied);
  EXPECT_EQ(1u, counts_.newer);
  EXPECT_EQ(1u, counts_.same);
}

TEST_F(StoreCopyTest, ReplacesEverythingWhenToldTo) {
  Put(*source_, "newer", "source");
  target_clock_.Advance(std::chrono::seconds{2});
  Put(*target_, "newer", "target");
  ASSERT_TRUE(CopyAll(*target_, Replace::kAll).ok());
  EXPECT_EQ("source", Get(*target_, "newer")->value);
}

// A client writes between the look and the put.
class WritesAfterTheLook final : public storage::ForwardingBackend {
 public:
  explicit WritesAfterTheLook(storage::Backend& target)
      : ForwardingBackend(std::shared_ptr<storage::Backend>(&target, [](auto*) {})) {}
  void Execute(std::span<const Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override {
    backend().Execute(operations, results, deadline);
    if (operations[0].kind != storage::OperationKind::kGet || std::exchange(written_, true)) return;
    EXPECT_TRUE(ExecuteOne(backend(), Operation::Put("k", "client"), deadline).status.ok());
  }

 private:
  bool written_ = false;
};

TEST_F(StoreCopyTest, NeverReplacesWhatAClientWritesMeanwhile) {
  Put(*target_, "k", "old");
  source_clock_.Advance(std::chrono::seconds{1});
  Put(*source_, "k", "source");
  target_clock_.Advance(std::chrono::seconds{2});
  WritesAfterTheLook target(*target_);
  ASSERT_TRUE(CopyAll(target).ok());
  EXPECT_EQ("client", Get(*target_, "k")->value);
  EXPECT_EQ(1u, counts_.newer);
}

TEST_F(StoreCopyTest, BearsWithFailuresThatPassAndNotWithOthers) {
  Put(*source_, "k", "v");
  resilience::ScriptedBackend target;
  target.FailNext(ErrorCode::kUnavailable);
  target.FailNext(ErrorCode::kOutcomeUnknown);
  ASSERT_TRUE(CopyAll(target).ok());
  EXPECT_EQ("v", Get(target, "k")->value);
  EXPECT_EQ(1u, counts_.copied);

  resilience::ScriptedBackend gone;
  gone.FailNext(ErrorCode::kUnavailable, kAttempts);
  const auto copied = CopyAll(gone);
  ASSERT_FALSE(copied.ok());
  EXPECT_EQ(ErrorCode::kUnavailable, copied.error().code());
}

TEST_F(StoreCopyTest, NamesWhatTheTargetDoesNotTake) {
  Put(*source_, "large", std::string(100, 'x'));
  Put(*source_, "small", "x");
  storage::MemoryOptions options;
  options.limits.max_value_bytes = 10;
  const auto target = storage::MakeMemoryBackend(options);
  const auto failures = CopyAll(*target);
  ASSERT_TRUE(failures.ok());
  ASSERT_EQ(1u, failures->size());
  EXPECT_EQ("large", (*failures)[0].key);
  EXPECT_EQ(ErrorCode::kResourceExhausted, (*failures)[0].error.code());
  EXPECT_EQ(1u, counts_.failed);
  EXPECT_EQ("x", Get(*target, "small")->value);
}

TEST_F(StoreCopyTest, WalksARangeInPagesThatMissNothing) {
  for (int i = 0; i < 1'000; ++i) Put(*source_, "k" + std::to_string(i), std::to_string(i));
  PageWalk walk(*source_, storage::KeyRange::Prefix("k"), "k1", kNoPauses);
  std::size_t keys = 0;
  std::string last = "k1";
  while (!walk.complete()) {
    const auto page = walk.Next();
    ASSERT_TRUE(page.ok());
    for (const storage::KeyedEntry& item : page->entries) {
      EXPECT_LT(last, item.key);
      last = item.key;
      ++keys;
    }
  }
  EXPECT_EQ(998u, keys);
  walk.BackTo("");
  EXPECT_EQ("k0", walk.Next()->entries.front().key);
}

}  // namespace
}  // namespace holdfast::transfer
