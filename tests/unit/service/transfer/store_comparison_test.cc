// Which range is the first to differ.
#include "service/transfer/store_comparison.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/service/resilience/scripted_backend.h"

namespace holdfast::transfer {
namespace {

using storage::ExecuteOne;
using storage::KeyRange;
using storage::Operation;

constexpr BackoffPolicy kNoPauses{std::chrono::nanoseconds{1}, std::chrono::nanoseconds{1}, 0.0};
constexpr int kKeys = 1'000;

class StoreComparisonTest : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < kKeys; ++i) {
      for (storage::Backend* backend : {source_.get(), target_.get()}) Put(*backend, Key(i), "v");
    }
  }
  static std::string Key(int i) { return fmt::format("k{:04}", i); }
  static void Put(storage::Backend& backend, const std::string& key, const std::string& value) {
    ASSERT_TRUE(ExecuteOne(backend, Operation::Put(key, value), Deadline::Infinite()).status.ok());
  }
  std::optional<Difference> Compare(const KeyRange& range = KeyRange::All()) {
    compared_ = 0;
    return CompareStores(
               *source_, *target_, range, [this](std::uint64_t keys) { compared_ = keys; }, kNoPauses)
        .value();
  }

  const std::unique_ptr<storage::Backend> source_ = storage::MakeMemoryBackend({});
  const std::unique_ptr<storage::Backend> target_ = storage::MakeMemoryBackend({});
  std::uint64_t compared_ = 0;
};

TEST_F(StoreComparisonTest, OfTheSameIsNone) {
  EXPECT_FALSE(Compare().has_value());
  EXPECT_EQ(static_cast<std::uint64_t>(kKeys), compared_);
}

TEST_F(StoreComparisonTest, NamesTheFirstRangeAndTheKeysInIt) {
  Put(*target_, Key(150), "w");
  Put(*target_, Key(950), "w");
  const auto difference = Compare();
  ASSERT_TRUE(difference.has_value());
  EXPECT_EQ(std::vector<std::string>{Key(150)}, difference->keys);
  EXPECT_LT(difference->behind, Key(150));
  EXPECT_GE(difference->last, Key(150));
  EXPECT_LT(difference->last, Key(950));
  EXPECT_FALSE(Compare({Key(200), Key(900)}).has_value());
}

TEST_F(StoreComparisonTest, SeesWhatOnlyTheTargetHas) {
  for (const std::string& key : {std::string("a"), Key(500) + "x", std::string("z")}) {
    Put(*target_, key, "v");
    const auto difference = Compare();
    ASSERT_TRUE(difference.has_value()) << key;
    EXPECT_EQ(std::vector<std::string>{key}, difference->keys);
    ASSERT_TRUE(ExecuteOne(*target_, Operation::Delete(key), Deadline::Infinite()).status.ok());
  }
  EXPECT_FALSE(Compare().has_value());
}

TEST_F(StoreComparisonTest, ComparesAgainstATargetWithShorterPages) {
  storage::MemoryOptions options;
  options.limits.max_scan_entries = 7;
  const auto target = storage::MakeMemoryBackend(options);
  for (int i = 0; i < kKeys; ++i) Put(*target, Key(i), i == 777 ? "w" : "v");
  std::uint64_t compared = 0;
  const auto found = CompareStores(
      *source_, *target, KeyRange::All(), [&](std::uint64_t keys) { compared = keys; }, kNoPauses);
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ(std::vector<std::string>{Key(777)}, (*found)->keys);
  EXPECT_GT(compared, 700u);
}

// The target has what expired in the source a moment ago.
class BehindOnce final : public storage::ForwardingBackend {
 public:
  explicit BehindOnce(storage::Backend& target)
      : ForwardingBackend(std::shared_ptr<storage::Backend>(&target, [](auto*) {})) {}
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override {
    auto page = backend().Scan(request, deadline);
    if (page.ok() && !std::exchange(asked_, true)) page->entries.erase(page->entries.begin());
    return page;
  }

 private:
  bool asked_ = false;
};

TEST_F(StoreComparisonTest, LooksAgainAtWhatMayHaveChangedMeanwhile) {
  BehindOnce target(*target_);
  const auto found = CompareStores(
      *source_, target, KeyRange::All(), [](std::uint64_t) {}, kNoPauses);
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(found->has_value());
}

TEST_F(StoreComparisonTest, EndsWithTheErrorOfAStoreThatCannotBeAsked) {
  resilience::ScriptedBackend target;
  target.FailNext(ErrorCode::kUnavailable, kAttempts);
  const auto found = CompareStores(
      *source_, target, KeyRange::All(), [](std::uint64_t) {}, kNoPauses);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(ErrorCode::kUnavailable, found.error().code());
}

}  // namespace
}  // namespace holdfast::transfer
