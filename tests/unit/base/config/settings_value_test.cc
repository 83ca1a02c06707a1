#include "base/config/settings_value.h"

#include <gtest/gtest.h>

#include <limits>

namespace holdfast::config {
namespace {

TEST(ParseBytes, ReadsQuantitiesAsKubernetesWritesThem) {
  const std::pair<std::string_view, std::uint64_t> cases[] = {
      {"0", 0},
      {"65536", 65536},
      {"64Ki", 65536},
      {"10Mi", 10u << 20},
      {"1Gi", 1u << 30},
      {"500k", 500'000},
      {"10M", 10'000'000},
      {"1.5Gi", 1'610'612'736},
      {"0.5k", 500},
      {"1.0", 1},
      {"007", 7},
      {"7Ei", 7ULL << 60},
      {"9223372036854775807", std::numeric_limits<std::int64_t>::max()},
  };
  for (const auto& [text, bytes] : cases) {
    const Result<std::uint64_t> parsed = ParseBytes(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.error().ToString();
    EXPECT_EQ(*parsed, bytes) << text;
  }
}

TEST(ParseBytes, RefusesWithTheReasonAndAnExample) {
  for (const std::string_view text :
       {"", "Ki", "-1", "1 Ki", "1KB", "1ki", "1.", ".5Ki", "0.5", "1.0001k", "1e3", "9223372036854775808", "8Ei",
        "99999999999999999999999999", "1,5Gi", "0.00000000000000000001Ei"}) {
    const Result<std::uint64_t> parsed = ParseBytes(text);
    ASSERT_FALSE(parsed.ok()) << text << " = " << *parsed;
    EXPECT_EQ(parsed.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(parsed.error().message().find("write it like"), std::string::npos);
  }
}

TEST(WhatIsWrong, NamesLimitAndRemedy) {
  Setting port{.name = "p", .type = Type::kInteger, .minimum = 1, .maximum = 65535};
  EXPECT_EQ(WhatIsWrong(port, "8080"), std::nullopt);
  EXPECT_EQ(WhatIsWrong(port, "70000"), "70000 is above the maximum of 65535; use 1 to 65535");
  EXPECT_EQ(WhatIsWrong(port, "0"), "0 is below the minimum of 1; use 1 to 65535");
  EXPECT_EQ(WhatIsWrong(port, "80a"), "'80a' is not an integer; use digits only, 1 to 65535");
  EXPECT_NE(WhatIsWrong(port, "99999999999999999999"), std::nullopt);

  Setting size{.name = "s", .type = Type::kBytes, .minimum = 1024};
  EXPECT_EQ(WhatIsWrong(size, "1000"), "1000 is below the minimum of 1Ki; use at least 1Ki");

  Setting wait{.name = "w", .type = Type::kDuration, .maximum = 60'000'000};
  EXPECT_EQ(WhatIsWrong(wait, "2m"), "2m is above the maximum of 1m; use at most 1m");

  Setting color{.name = "c", .type = Type::kChoice, .choices = {"red", "green"}};
  EXPECT_EQ(WhatIsWrong(color, "blue"), "'blue' is not one of red, green");
  Setting flag{.name = "f", .type = Type::kBool};
  EXPECT_EQ(WhatIsWrong(flag, "yes"), "'yes' is neither true nor false");
}

TEST(WhatIsWrong, NeverQuotesASecret) {
  Setting secret{.name = "k", .type = Type::kInteger, .secret = true};
  const std::optional<std::string> wrong = WhatIsWrong(secret, "canary-4711");
  ASSERT_TRUE(wrong.has_value());
  EXPECT_EQ(wrong->find("canary"), std::string::npos) << *wrong;
}

TEST(SplitList, TrimsAndRefusesEmptyItems) {
  EXPECT_EQ(SplitList("a, b,c"), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(SplitList(""), std::vector<std::string>{});
  EXPECT_EQ(SplitList("  "), std::vector<std::string>{});
  for (const std::string_view text : {",", "a,", ",a", "a,,b", "a, ,b"})
    EXPECT_EQ(SplitList(text), std::nullopt) << text;
}

}  // namespace
}  // namespace holdfast::config
