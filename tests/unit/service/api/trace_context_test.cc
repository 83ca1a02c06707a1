#include "service/api/trace_context.h"

namespace holdfast::api {
namespace {

const std::string kTrace = "0af7651916cd43dd8448eb211c80319c";

TEST(TraceContextTest, ReadsTheParts) {
  for (const std::string& text :
       {"00-" + kTrace + "-b7ad6b7169203331-01", "01-" + kTrace + "-b7ad6b7169203331-01-more"}) {
    const auto parts = ParseTraceparent(text);
    ASSERT_TRUE(parts) << text;
    EXPECT_EQ(parts->trace_id, kTrace);
    EXPECT_EQ(parts->parent_id, "b7ad6b7169203331");
    EXPECT_TRUE(parts->sampled);
  }
}

TEST(TraceContextTest, TheLastBitOfTheFlagsIsTheDecision) {
  for (const auto& [flags, sampled] :
       {std::pair{"00", false}, {"01", true}, {"02", false}, {"0b", true}, {"fe", false}}) {
    const std::string text = "00-" + kTrace + "-b7ad6b7169203331-" + flags;
    EXPECT_EQ(ParseTraceparent(text)->sampled, sampled) << flags;
  }
  const std::string formatted = FormatTraceparent(kTrace, "b7ad6b7169203331", true);
  EXPECT_EQ(formatted, "00-" + kTrace + "-b7ad6b7169203331-01");
}

TEST(TraceContextTest, IgnoresWhatIsMalformed) {
  const std::string zeros(32, '0');
  for (const std::string& text :
       {std::string(), std::string("00"), "00-" + kTrace, "00-" + kTrace + "-b7ad6b7169203331-01-more",
        "ff-" + kTrace + "-b7ad6b7169203331-01", "00-" + zeros + "-b7ad6b7169203331-01",
        "00-" + kTrace + "-0000000000000000-01", "00-" + kTrace.substr(1) + "X-b7ad6b7169203331-01",
        "00_" + kTrace + "-b7ad6b7169203331-01", std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
        "01-" + kTrace + "-b7ad6b7169203331-01more"}) {
    EXPECT_FALSE(ParseTraceparent(text)) << text;
  }
}

}  // namespace
}  // namespace holdfast::api
