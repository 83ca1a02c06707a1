#include "service/composition/secondary_versions.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "service/backends/memory/memory_backend.h"
#include "tests/unit/service/composition/removable_backend.h"

namespace holdfast::composition {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using storage::KeyRange;
using storage::Operation;
using storage::Version;

class SecondaryVersionsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(Open().ok()); }

  // As the next process does.
  Status Open() {
    versions_.emplace(rows_, KeyRange::Prefix("s"), clock_);
    return versions_->Open(Deadline::Infinite());
  }
  Version Next(Version above = 0) {
    const auto next = versions_->Next(above, Deadline::Infinite());
    EXPECT_TRUE(next.ok());
    return next.ok() ? *next : 0;
  }
  // How often the bound was put further.
  Version BoundsWritten() {
    const auto bound = storage::ExecuteOne(rows_, Operation::Get(kRow), Deadline::Infinite());
    return bound.status.ok() ? bound.version : 0;
  }

  const std::string kRow = FailoverKey(FailoverRow::kVersions, "s");
  ManualClock clock_;
  RemovableBackend rows_{std::shared_ptr(storage::MakeMemoryBackend({}, clock_))};
  std::optional<SecondaryVersions> versions_;
};

TEST_F(SecondaryVersionsTest, they_rise_with_the_clock_and_above_what_is_there) {
  const Version first = Next();
  EXPECT_GT(first, kSecondaryVersions);
  EXPECT_EQ(Next(), first + 1);
  EXPECT_EQ(Next(first + 10), first + 11);
  clock_.Advance(seconds{1});
  EXPECT_EQ(Next(), first + 1'000'000);
  clock_.JumpTo(clock_.Now() - hours{1});
  EXPECT_EQ(Next(), first + 1'000'001);
}

TEST_F(SecondaryVersionsTest, none_comes_again_after_a_restart_wherever_the_clock_is) {
  Version highest = 0;
  for (const hours back : {hours{0}, hours{1}, hours{-1}, hours{48}}) {
    clock_.JumpTo(clock_.Now() - back);
    ASSERT_TRUE(Open().ok());
    for (int i = 0; i < 3; ++i) {
      const Version next = Next();
      EXPECT_GT(next, highest);
      highest = next;
    }
  }
}

TEST_F(SecondaryVersionsTest, a_minute_of_them_writes_one_row) {
  Next();
  const Version once = BoundsWritten();
  ASSERT_GT(once, 0u);
  for (int i = 0; i < 1000; ++i) Next();
  clock_.Advance(seconds{59});
  Next();
  EXPECT_EQ(BoundsWritten(), once);
  clock_.Advance(seconds{2});
  Next();
  EXPECT_GT(BoundsWritten(), once);
}

TEST_F(SecondaryVersionsTest, stores_on_one_backend_have_a_bound_each) {
  clock_.Advance(hours{1});
  Next();
  clock_.JumpTo(clock_.Now() - hours{1});
  SecondaryVersions other(rows_, KeyRange::Prefix("t"), clock_);
  ASSERT_TRUE(other.Open(Deadline::Infinite()).ok());
  const auto low = other.Next(0, Deadline::Infinite());
  ASSERT_TRUE(low.ok());
  const Version high = Next();
  EXPECT_LT(*low, high);
  ASSERT_TRUE(Open().ok());
  EXPECT_GT(Next(), high);
}

TEST_F(SecondaryVersionsTest, none_is_given_that_is_not_bounded) {
  rows_.Set(RemovableBackend::State::kGone);
  const auto refused = versions_->Next(0, Deadline::Infinite());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  EXPECT_FALSE(Open().ok());
  rows_.Set(RemovableBackend::State::kThere);
  ASSERT_TRUE(Open().ok());
  EXPECT_GT(Next(), kSecondaryVersions);
}

TEST_F(SecondaryVersionsTest, a_damaged_bound_is_an_error_of_the_start) {
  ASSERT_TRUE(storage::ExecuteOne(rows_, Operation::Put(kRow, "x"), Deadline::Infinite()).status.ok());
  const Status opened = Open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::kCorruption);
}

TEST_F(SecondaryVersionsTest, who_waits_for_a_bound_waits_no_longer_than_its_deadline) {
  rows_.Set(RemovableBackend::State::kHangs);
  std::thread first([&] { EXPECT_TRUE(versions_->Next(0, Deadline::Infinite()).ok()); });
  // Whoever comes first of the two writes the row; both end, since neither is served before the backend is back.
  const auto hasty = versions_->Next(0, Deadline::After(milliseconds{20}));
  ASSERT_FALSE(hasty.ok());
  EXPECT_EQ(hasty.error().code(), ErrorCode::kDeadlineExceeded);
  rows_.Set(RemovableBackend::State::kThere);
  first.join();
}

TEST_F(SecondaryVersionsTest, threads_that_meet_at_the_bound_get_different_ones) {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  std::vector<std::vector<Version>> given(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (auto& mine : given) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        clock_.Advance(seconds{30});  // every other one needs a further bound
        mine.push_back(Next());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<Version> all;
  for (const auto& mine : given) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), std::size_t{kThreads * kEach});
}

}  // namespace
}  // namespace holdfast::composition
