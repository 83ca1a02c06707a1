#include "service/api/cursor.h"

#include <random>

namespace holdfast::api {
namespace {

TEST(CursorTest, RoundTripsAnyKey) {
  std::mt19937_64 random{1};
  const ListScope scope{"main", "default", "p", "", "", false};
  for (std::size_t length = 1; length < 200; ++length) {
    std::string key;
    for (std::size_t i = 0; i < length; ++i) key.push_back(static_cast<char>(random()));
    EXPECT_EQ(DecodeCursor(scope, EncodeCursor(scope, key)), key);
  }
}

TEST(CursorTest, FindsEveryFlippedBitAndEveryCut) {
  const ListScope scope{"main", "default", "p", "a", "b", true};
  const std::string cursor = EncodeCursor(scope, "some key");
  for (std::size_t i = 0; i < cursor.size(); ++i) {
    EXPECT_FALSE(DecodeCursor(scope, cursor.substr(0, i))) << i;
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = cursor;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_FALSE(DecodeCursor(scope, damaged)) << i << " " << bit;
    }
  }
}

TEST(CursorTest, BelongsToItsList) {
  const ListScope scope{"main", "default", "p", "a", "b", false};
  const std::string cursor = EncodeCursor(scope, "k");
  for (const ListScope& other :
       {ListScope{"other", "default", "p", "a", "b", false}, ListScope{"main", "team-a", "p", "a", "b", false},
        ListScope{"main", "default", "", "a", "b", false}, ListScope{"main", "default", "p", "", "b", false},
        ListScope{"main", "default", "p", "a", "", false}, ListScope{"main", "default", "p", "a", "b", true},
        ListScope{"main", "default", "pa", "", "b", false}}) {
    EXPECT_FALSE(DecodeCursor(other, cursor));
  }
}

// Clients keep cursors across upgrades and pass them between replicas: the text is a format.
TEST(CursorTest, FormatIsStable) {
  EXPECT_EQ(EncodeCursor({"main", "default", "p", "a", "b", false}, "key"), "07UfJ_nqYM9rZXk");
}

}  // namespace
}  // namespace holdfast::api
