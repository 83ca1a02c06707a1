// A cache that is filled before anybody asks.
#include <thread>

#include "tests/unit/service/composition/tiered_fixture.h"

namespace holdfast::composition {
namespace {

using std::chrono::milliseconds;
using storage::KeyRange;
using storage::WarmLimits;
using storage::WarmReport;

constexpr WarmLimits kPlenty{1'000'000, std::uint64_t{1} << 30, 0};

class TieredWarming : public TieredTest {
 protected:
  using TieredTest::TieredTest;
  void Fill(const std::string& prefix, int keys) {
    for (int i = 0; i < keys; ++i) PutElsewhere(prefix + std::to_string(1'000 + i), "v");
  }
  WarmReport Warm(const std::string& prefix, const WarmLimits& limits = kPlenty,
                  Deadline deadline = Deadline::Infinite()) {
    const auto report = tiered_->Warm(KeyRange::Prefix(prefix), limits, deadline);
    EXPECT_TRUE(report.ok());
    return report.ok() ? *report : WarmReport{};
  }
  // Gets of keys that the system of record was asked for.
  int Missed(const std::string& prefix, int keys) {
    const int before = record_->gets();
    for (int i = 0; i < keys; ++i) EXPECT_EQ(Get(prefix + std::to_string(1'000 + i)), "v");
    return record_->gets() - before;
  }
};

TEST_F(TieredWarming, reads_a_prefix_into_the_cache_and_nothing_else) {
  Fill("a", 700);
  Fill("b", 3);
  EXPECT_EQ(Missed("a", 1), 1);  // the control: without it they miss
  const WarmReport report = Warm("a");
  EXPECT_EQ(report.entries, 700u);
  EXPECT_EQ(report.bytes, 700u * 6);
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(Missed("a", 700), 0);
  EXPECT_EQ(Missed("b", 3), 3);
  // One that was asked for before, and three of b.
  EXPECT_EQ(tiered_->tiered_statistics().misses, 4u);
}

TEST_F(TieredWarming, ends_at_its_limits_and_goes_on_behind_them) {
  Fill("a", 600);
  const WarmReport first = Warm("a", {400, 1u << 20, 0});
  EXPECT_EQ(first.entries, 400u);
  EXPECT_FALSE(first.complete);
  EXPECT_EQ(first.last, "a1399");
  EXPECT_EQ(Missed("a", 400), 0);
  KeyRange rest = KeyRange::Prefix("a");
  rest.start = first.last + '\0';
  const auto second = tiered_->Warm(rest, kPlenty, Deadline::Infinite());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->entries, 200u);
  EXPECT_TRUE(second->complete);
  EXPECT_EQ(Warm("a", {1'000, 60, 0}).bytes, 60u);
}

TEST_F(TieredWarming, of_an_empty_range_there_is_nothing_to_do) {
  const WarmReport report = Warm("nothing");
  EXPECT_EQ(report.entries, 0u);
  EXPECT_TRUE(report.complete);
}

TEST_F(TieredWarming, keeps_to_its_rate_and_its_deadline) {
  Fill("a", 1'000);
  const auto begun = std::chrono::steady_clock::now();
  const WarmReport report = Warm("a", {1'000'000, 1u << 30, 400}, Deadline::After(std::chrono::seconds{1}));
  EXPECT_FALSE(report.complete);
  EXPECT_LE(report.entries, 700u);  // 400 and the page that was under way
  EXPECT_GE(report.entries, 256u);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds{600});
}

TEST_F(TieredWarming, what_is_written_meanwhile_is_not_covered_by_what_was_read) {
  Fill("a", 1);
  record_->HoldGets();
  std::thread warming([this] { static_cast<void>(Warm("a")); });
  while (record_->waiting() == 0) std::this_thread::yield();
  std::thread writer([this] { Put("a1000", "newer"); });
  writer.join();
  record_->Release();
  warming.join();
  EXPECT_EQ(Get("a1000"), "newer");
}

TEST_F(TieredWarming, an_error_of_the_system_of_record_is_told_and_a_close_ends_it) {
  Fill("a", 600);
  record_->Fail(ErrorCode::kUnavailable);
  EXPECT_FALSE(tiered_->Warm(KeyRange::Prefix("a"), kPlenty, Deadline::Infinite()).ok());
  record_->Fail(std::nullopt);
  std::thread closer;
  const auto begun = std::chrono::steady_clock::now();
  closer = std::thread([this] {
    while (record_->gets() == 0) std::this_thread::yield();
    static_cast<void>(tiered_->Close());
  });
  EXPECT_FALSE(tiered_->Warm(KeyRange::Prefix("a"), {1'000, 1u << 20, 1}, Deadline::Infinite()).ok());
  closer.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{60});
}

}  // namespace
}  // namespace holdfast::composition
