#include "base/http/retry_after.h"

#include <gtest/gtest.h>

namespace holdfast::http {
namespace {

TEST(RetryAfter, IsSecondsOrNothing) {
  EXPECT_EQ(RetryAfter({{"retry-after", "7"}}), std::chrono::seconds{7});
  EXPECT_EQ(RetryAfter({{"Retry-After", "0"}}), std::chrono::seconds{0});
  EXPECT_EQ(RetryAfter({}), std::nullopt);
  for (const char* text : {"", "soon", "-1", "1.5", "7 ", "99999999999", "Wed, 21 Oct 2026 07:28:00 GMT"}) {
    EXPECT_EQ(RetryAfter({{"Retry-After", text}}), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace holdfast::http
