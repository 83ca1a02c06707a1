#include "base/time/duration.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace holdfast {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::uint64_t Seed() {
  const char* text = std::getenv("HOLDFAST_SEED");
  return text == nullptr ? 1 : std::stoull(text);
}

TEST(ParseDuration, ReadsEveryUnit) {
  const std::pair<std::string_view, microseconds> cases[] = {
      {"90", seconds{90}},
      {"1.5", milliseconds{1500}},
      {"0", seconds{0}},
      {"0s", seconds{0}},
      {"250us", microseconds{250}},
      {"250ms", milliseconds{250}},
      {"30s", seconds{30}},
      {"5m", minutes{5}},
      {"1h", hours{1}},
      {"7d", hours{7 * 24}},
      {"1h30m", minutes{90}},
      {"1.5h", minutes{90}},
      {"1d12h0.5s", hours{36} + milliseconds{500}},
      {"0.000001", microseconds{1}},
      {"1.10000000000000000000", milliseconds{1100}},
      {"0.0001220703125d", microseconds{10'546'875}},
      {"007s", seconds{7}},
      {"36525d", hours{36525 * 24}},
  };
  for (const auto& [text, expected] : cases) {
    const Result<microseconds> duration = ParseDuration(text);
    ASSERT_TRUE(duration.ok()) << text << ": " << duration.error().ToString();
    EXPECT_EQ(*duration, expected) << text;
  }
}

TEST(ParseDuration, RefusesWithTheReasonAndAnExample) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "empty"},
      {"-1s", "negative"},
      {"+1s", "a number is missing"},
      {"s", "a number is missing"},
      {".5s", "a number is missing"},
      {"1.s", "digits are missing"},
      {"1h30", "no unit"},
      {"1 s", "is no unit"},
      {"1s ", "is no unit"},
      {"1w", "'w' is no unit"},
      {"1S", "'S' is no unit"},
      {"1e3", "is no unit"},
      {"0.0000001", "finer than a microsecond"},
      {"0.5us", "finer than a microsecond"},
      {"0.33333333333333333333d", "finer than a microsecond"},
      {"36525d1us", "100 years"},
      {"36526d", "100 years"},
      {"99999999999999999999999999999999d", "100 years"},
      {"18446744073709551617us", "100 years"},
  };
  for (const auto& [text, reason] : cases) {
    const Result<microseconds> duration = ParseDuration(text);
    ASSERT_FALSE(duration.ok()) << text;
    EXPECT_EQ(duration.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(duration.error().message().find(reason), std::string::npos) << duration.error().message();
    EXPECT_NE(duration.error().message().find("write it like"), std::string::npos);
  }
}

TEST(FormatDuration, UsesTheLargestUnitThatIsExact) {
  EXPECT_EQ(FormatDuration(hours{1}), "1h");
  EXPECT_EQ(FormatDuration(milliseconds{1500}), "1500ms");
  EXPECT_EQ(FormatDuration(seconds{0}), "0s");
  EXPECT_EQ(FormatDuration(minutes{90}), "90m");
  EXPECT_EQ(FormatDuration(hours{48}), "2d");
  EXPECT_EQ(FormatDuration(microseconds{1}), "1us");
  EXPECT_EQ(FormatDuration(-seconds{30}), "-30s");
}

TEST(FormatDuration, ParseReadsItBack) {
  const std::uint64_t seed = Seed();
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::int64_t scales[] = {1, 1000, 1'000'000, 60'000'000, 3'600'000'000};
  for (int i = 0; i < 5000; ++i) {
    const microseconds duration{static_cast<std::int64_t>(random() % 100'000) * scales[random() % 5]};
    const Result<microseconds> again = ParseDuration(FormatDuration(duration));
    ASSERT_TRUE(again.ok()) << again.error().ToString();
    ASSERT_EQ(*again, duration);
  }
}

TEST(FormatTimestamp, PrintsAsManyFractionalDigitsAsNeeded) {
  const Timestamp second{seconds{1'795'222'923}};
  EXPECT_EQ(FormatTimestamp(second), "2026-11-21T01:02:03Z");
  EXPECT_EQ(FormatTimestamp(second + milliseconds{500}), "2026-11-21T01:02:03.5Z");
  EXPECT_EQ(FormatTimestamp(second + microseconds{1}), "2026-11-21T01:02:03.000001Z");
  EXPECT_EQ(FormatTimestamp(Timestamp{microseconds{-1}}), "1969-12-31T23:59:59.999999Z");
}

TEST(ParseTimestamp, ReadsOffsetsAndCutsOffNanoseconds) {
  const Timestamp expected{seconds{1'795'222'923}};
  for (const std::string_view text :
       {"2026-11-21T01:02:03Z", "2026-11-21t01:02:03z", "2026-11-21T03:02:03+02:00", "2026-11-20T19:32:03-05:30"}) {
    const Result<Timestamp> when = ParseTimestamp(text);
    ASSERT_TRUE(when.ok()) << when.error().ToString();
    EXPECT_EQ(*when, expected) << text;
  }
  EXPECT_EQ(*ParseTimestamp("2026-11-21T01:02:03.123456789Z"), expected + microseconds{123'456});
  EXPECT_EQ(*ParseTimestamp("2026-11-21T01:02:03.5Z"), expected + milliseconds{500});
}

TEST(ParseTimestamp, RefusesWhatIsNoInstant) {
  for (const std::string_view text :
       {"", "2026", "2026-11-21", "2026-11-21T01:02:03", "2026-11-21 01:02:03Z", "2026-13-01T00:00:00Z",
        "2025-02-29T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T01:60:00Z", "2026-11-21T01:02:60Z",
        "2026-11-21T01:02:03.Z", "2026-11-21T01:02:03+2:00", "2026-11-21T01:02:03Z ", "2026-11-21T01:02:03+24:00"}) {
    const Result<Timestamp> when = ParseTimestamp(text);
    ASSERT_FALSE(when.ok()) << text;
    EXPECT_EQ(when.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(ParseTimestamp, ReadsBackWhatFormatPrints) {
  const std::uint64_t seed = Seed();
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 5000; ++i) {
    // Years 0 to 9999, the ones RFC 3339 can spell.
    const auto first = std::chrono::sys_days{std::chrono::year{0} / 1 / 1};
    const Timestamp when = first + microseconds{static_cast<std::int64_t>(random() % 315'569'520'000'000'000ULL)};
    const Result<Timestamp> again = ParseTimestamp(FormatTimestamp(when));
    ASSERT_TRUE(again.ok()) << again.error().ToString();
    ASSERT_EQ(*again, when);
  }
}

}  // namespace
}  // namespace holdfast
