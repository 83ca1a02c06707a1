#include "operator/api/v1/annotations.h"

#include <gtest/gtest.h>

namespace holdfast::api {
namespace {

TEST(Annotations, AnyValueButFalsePauses) {
  const auto paused = [](const Json& annotations) { return IsPaused({{"metadata", {{"annotations", annotations}}}}); };
  EXPECT_TRUE(paused({{kPausedAnnotation, "true"}}));
  EXPECT_TRUE(paused({{kPausedAnnotation, "True"}}));
  EXPECT_TRUE(paused({{kPausedAnnotation, ""}}));
  EXPECT_FALSE(paused({{kPausedAnnotation, "false"}}));
  EXPECT_FALSE(paused(Json::object()));
  EXPECT_FALSE(IsPaused(Json::object()));
}

}  // namespace
}  // namespace holdfast::api
