#include "service/api/nearest_name.h"

namespace holdfast::api {
namespace {

constexpr std::string_view kKnown[] = {"prefix", "limit", "cursor", "order"};

TEST(NearestNameTest, FindsWhatWasMeant) {
  EXPECT_EQ(NearestName("perfix", kKnown), "prefix");
  EXPECT_EQ(NearestName("LIMIT", kKnown), "limit");
  EXPECT_EQ(NearestName("cursr", kKnown), "cursor");
  EXPECT_EQ(NearestHint("ordre", kKnown), " (did you mean \"order\"?)");
}

TEST(NearestNameTest, GuessesNothingFarOff) {
  EXPECT_EQ(NearestName("zzzzzzzz", kKnown), "");
  EXPECT_EQ(NearestName(std::string(1000, 'l'), kKnown), "");
  EXPECT_EQ(NearestHint("zzzzzzzz", kKnown), "; known: prefix, limit, cursor, order");
  EXPECT_EQ(NearestHint("x", {}), "; none is known here");
}

}  // namespace
}  // namespace holdfast::api
