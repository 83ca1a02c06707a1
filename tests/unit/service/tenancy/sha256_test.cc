#include "service/tenancy/sha256.h"

#include <gtest/gtest.h>

namespace holdfast::tenancy {
namespace {

// FIPS 180-4, "abc".
constexpr std::string_view kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Sha256, KnownAnswer) {
  EXPECT_EQ(ToHex(Sha256("abc")), kAbc);
}

TEST(Sha256, HexComesBack) {
  const auto digest = DigestFromHex("BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015AD");
  ASSERT_TRUE(digest.has_value());
  EXPECT_EQ(*digest, Sha256("abc"));
  EXPECT_TRUE(EqualInConstantTime(*digest, Sha256("abc")));
  EXPECT_FALSE(EqualInConstantTime(*digest, Sha256("abd")));
}

TEST(Sha256, WhatIsNoDigestIsRefused) {
  EXPECT_FALSE(DigestFromHex(""));
  EXPECT_FALSE(DigestFromHex(kAbc.substr(1)));
  std::string wrong(kAbc);
  wrong[5] = 'g';
  EXPECT_FALSE(DigestFromHex(wrong));
}

}  // namespace
}  // namespace holdfast::tenancy
