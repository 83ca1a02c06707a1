#include "service/tenancy/identity_cache.h"

#include <gtest/gtest.h>

namespace holdfast::tenancy {
namespace {

using std::chrono::seconds;

class IdentityCacheTest : public testing::Test {
 protected:
  static Digest Token(int number) { return Sha256(std::to_string(number)); }
  MonotonicTime At(int second) { return MonotonicTime{} + seconds{second}; }
};

TEST_F(IdentityCacheTest, KeepsForItsTimeOnly) {
  IdentityCache cache(10, seconds{5});
  cache.Put(Token(1), AnonymousPrincipal(), At(0));
  EXPECT_EQ(cache.Find(Token(1), At(4)), AnonymousPrincipal());
  EXPECT_FALSE(cache.Find(Token(1), At(5)));
  EXPECT_EQ(cache.size(), 0u);
}

TEST_F(IdentityCacheTest, DropsTheLeastRecentlyUsed) {
  IdentityCache cache(2, seconds{5});
  cache.Put(Token(1), nullptr, At(0));
  cache.Put(Token(2), nullptr, At(0));
  EXPECT_TRUE(cache.Find(Token(1), At(1)));
  cache.Put(Token(3), nullptr, At(1));
  EXPECT_TRUE(cache.Find(Token(1), At(1)));
  EXPECT_FALSE(cache.Find(Token(2), At(1)));
  EXPECT_TRUE(cache.Find(Token(3), At(1)));
  EXPECT_EQ(cache.size(), 2u);
}

TEST_F(IdentityCacheTest, AnotherAnswerReplacesTheFirst) {
  IdentityCache cache(2, seconds{5});
  cache.Put(Token(1), nullptr, At(0));
  cache.Put(Token(1), AnonymousPrincipal(), At(3));
  EXPECT_EQ(cache.Find(Token(1), At(7)), AnonymousPrincipal());
  EXPECT_EQ(cache.size(), 1u);
}

TEST_F(IdentityCacheTest, ZeroKeepsNothing) {
  IdentityCache none(0, seconds{5});
  none.Put(Token(1), nullptr, At(0));
  EXPECT_FALSE(none.Find(Token(1), At(0)));
  IdentityCache never(2, seconds{0});
  never.Put(Token(1), nullptr, At(0));
  EXPECT_FALSE(never.Find(Token(1), At(0)));
}

}  // namespace
}  // namespace holdfast::tenancy
