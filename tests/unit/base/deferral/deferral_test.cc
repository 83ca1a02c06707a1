#include "base/deferral/deferral.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace holdfast {
namespace {

TEST(Deferral, WithoutOneEverythingIsDoneAtOnce) {
  std::string done;
  Deferral::AtEnd([&] { done += "a"; });
  EXPECT_EQ("a", done);
}

TEST(Deferral, WhatIsDeferredIsDoneAtItsEndInOrder) {
  std::string done;
  {
    const Deferral deferral;
    Deferral::AtEnd([&] { done += "a"; });
    Deferral::AtEnd([&] { done += "b"; });
    EXPECT_EQ("", done);
  }
  EXPECT_EQ("ab", done);
}

TEST(Deferral, TheOutermostCounts) {
  std::string done;
  {
    const Deferral outer;
    {
      const Deferral inner;
      Deferral::AtEnd([&] { done += "a"; });
    }
    EXPECT_EQ("", done);
  }
  EXPECT_EQ("a", done);
}

TEST(Deferral, WhatAnActionDefersIsDoneToo) {
  std::string done;
  {
    const Deferral deferral;
    Deferral::AtEnd([&] { Deferral::AtEnd([&] { done += "a"; }); });
  }
  EXPECT_EQ("a", done);
}

TEST(Deferral, HoldsForItsThreadOnly) {
  std::string done;
  const Deferral deferral;
  std::thread([&] { Deferral::AtEnd([&] { done += "a"; }); }).join();
  EXPECT_EQ("a", done);
}

}  // namespace
}  // namespace holdfast
