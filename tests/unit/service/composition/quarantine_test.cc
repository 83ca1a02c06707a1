#include "service/composition/quarantine.h"

#include <gtest/gtest.h>

#include <vector>

namespace holdfast::composition {
namespace {

using std::chrono::seconds;

TEST(Quarantine, HoldsEachForItsTime) {
  ManualClock clock;
  Stamps stamps(1024);
  Quarantine quarantine(stamps, seconds{60}, clock);
  const auto hold = [&](std::string_view key) {
    quarantine.Hold(std::make_unique<Stamps::Writing>(stamps, std::vector<std::string_view>{key}));
  };
  hold("a");
  clock.Advance(seconds{30});
  hold("b");
  quarantine.Release();
  EXPECT_FALSE(stamps.Current("a"));
  EXPECT_FALSE(stamps.Current("b"));
  clock.Advance(seconds{30});
  quarantine.Release();
  EXPECT_TRUE(stamps.Current("a"));
  EXPECT_FALSE(stamps.Current("b"));
  clock.Advance(seconds{30});
  quarantine.Release();
  EXPECT_TRUE(stamps.Current("b"));
}

TEST(Quarantine, WithTooManyNoCopyCounts) {
  ManualClock clock;
  Stamps stamps(1024);
  Quarantine quarantine(stamps, seconds{60}, clock, /*most=*/1);
  const auto hold = [&](std::string_view key) {
    quarantine.Hold(std::make_unique<Stamps::Writing>(stamps, std::vector<std::string_view>{key}));
  };
  hold("a");
  EXPECT_TRUE(stamps.Current("other"));
  clock.Advance(seconds{30});
  hold("b");
  EXPECT_FALSE(stamps.Current("b"));
  EXPECT_FALSE(stamps.Current("other"));
  clock.Advance(seconds{30});
  quarantine.Release();
  EXPECT_FALSE(stamps.Current("other"));
  clock.Advance(seconds{30});
  quarantine.Release();
  EXPECT_TRUE(stamps.Current("a"));
  EXPECT_TRUE(stamps.Current("b"));
  EXPECT_TRUE(stamps.Current("other"));
}

}  // namespace
}  // namespace holdfast::composition
