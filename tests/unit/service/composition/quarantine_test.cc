#include "service/composition/quarantine.h"

#include <gtest/gtest.h>

#include <vector>

namespace holdfast::composition {
namespace {

using std::chrono::seconds;

TEST(Quarantine, HoldsEachForItsTime) {
  ManualClock clock;
  Stamps stamps(1024);
  Quarantine quarantine(seconds{60}, clock);
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

}  // namespace
}  // namespace holdfast::composition
