#include "operator/certificates/random_password.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdfast::certificates {
namespace {

TEST(RandomPassword, Carries256BitInPlainCharacters) {
  std::set<std::string> seen;
  std::set<char> characters;
  for (int i = 0; i < 200; ++i) {
    const auto password = RandomPassword();
    ASSERT_TRUE(password.ok());
    EXPECT_EQ(password->size(), 43u);
    EXPECT_THAT(*password, ::testing::MatchesRegex("[-A-Za-z0-9_]+"));
    EXPECT_TRUE(seen.insert(*password).second);
    characters.insert(password->begin(), password->end());
  }
  EXPECT_EQ(characters.size(), 64u) << "of 8600 characters every one of the 64 should have come up";
}

}  // namespace
}  // namespace holdfast::certificates
