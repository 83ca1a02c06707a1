#include "service/tracing/span_ids.h"

#include <gtest/gtest.h>

#include <set>

namespace holdfast::tracing {
namespace {

TEST(SpanIdsTest, RandomIdsDiffer) {
  constexpr int kMany = 1000;
  std::set<std::string> ids;
  for (int i = 0; i < kMany; ++i) {
    for (const std::string& id : {RandomTraceId(), RandomSpanId()}) {
      EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
      EXPECT_TRUE(ids.insert(id).second);
    }
  }
  EXPECT_EQ(RandomTraceId().size(), 32u);
  EXPECT_EQ(RandomSpanId().size(), 16u);
}

}  // namespace
}  // namespace holdfast::tracing
