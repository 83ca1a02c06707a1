#include "service/api/trace_context.h"

#include <set>

namespace holdfast::api {
namespace {

const std::string kTrace = "0af7651916cd43dd8448eb211c80319c";

TEST(TraceContextTest, ReadsTheTraceId) {
  EXPECT_EQ(TraceIdOf("00-" + kTrace + "-b7ad6b7169203331-01"), kTrace);
  EXPECT_EQ(TraceIdOf("01-" + kTrace + "-b7ad6b7169203331-01-more"), kTrace);
}

TEST(TraceContextTest, IgnoresWhatIsMalformed) {
  const std::string zeros(32, '0');
  for (const std::string& text :
       {std::string(), std::string("00"), "00-" + kTrace, "00-" + kTrace + "-b7ad6b7169203331-01-more",
        "ff-" + kTrace + "-b7ad6b7169203331-01", "00-" + zeros + "-b7ad6b7169203331-01",
        "00-" + kTrace + "-0000000000000000-01", "00-" + kTrace.substr(1) + "X-b7ad6b7169203331-01",
        "00_" + kTrace + "-b7ad6b7169203331-01", std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
        "01-" + kTrace + "-b7ad6b7169203331-01more"}) {
    EXPECT_FALSE(TraceIdOf(text)) << text;
  }
}

TEST(TraceContextTest, RandomIdsDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = RandomTraceId();
    EXPECT_EQ(id.size(), 32u);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_TRUE(ids.insert(id).second);
  }
}

}  // namespace
}  // namespace holdfast::api
