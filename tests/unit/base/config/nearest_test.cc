#include "base/config/nearest.h"

#include <gtest/gtest.h>

namespace holdfast::config {
namespace {

TEST(EditDistance, CountsSlips) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("port", "port"), 0u);
  EXPECT_EQ(EditDistance("", "port"), 4u);
  EXPECT_EQ(EditDistance("prot", "port"), 1u);
  EXPECT_EQ(EditDistance("prt", "port"), 1u);
  EXPECT_EQ(EditDistance("ports", "port"), 1u);
  EXPECT_EQ(EditDistance("pork", "port"), 1u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("ab", "ba"), EditDistance("ba", "ab"));
}

TEST(Nearest, NamesWhatWasProbablyMeant) {
  const std::vector<std::string> known{"listen.address", "listen.port", "log.level"};
  EXPECT_EQ(Nearest("listen.prot", known), "listen.port");
  EXPECT_EQ(Nearest("log.levle", known), "log.level");
  EXPECT_EQ(Nearest("port", known), "listen.port");
  EXPECT_EQ(Nearest("zzzzzzz", known), std::nullopt);
  EXPECT_EQ(Nearest("listen.port", {}), std::nullopt);
}

}  // namespace
}  // namespace holdfast::config
