#include "tests/unit/operator/controllers/crash_sweep.h"

#include <gtest/gtest.h>

namespace holdfast::storagecluster {
namespace {

using When = CrashingClient::When;

void ExpectSameEnd(const Ending& ending, const Ending& reference) {
  EXPECT_EQ(ending.jobs.size(), reference.jobs.size()) << "a migration ran twice, or not";
  ASSERT_EQ(ending.objects.size(), reference.objects.size());
  for (const auto& [name, object] : reference.objects) {
    ASSERT_TRUE(ending.objects.contains(name)) << name;
    EXPECT_EQ(ending.objects.at(name), object) << Json::diff(object, ending.objects.at(name));
  }
}

}  // namespace

bool ConvergeThroughCrash(ClusterBench& bench) {
  try {
    return bench.Converge("demo");
  } catch (const Crash&) {
    bench.RestartOperator();
    return bench.Converge("demo");
  }
}

Ending SweepCrashes(const Life& life, int part, int parts) {
  Ending reference = life(0, When::kBefore);
  for (int n = 1 + part; n <= reference.writes && !testing::Test::HasFailure(); n += parts) {
    // Every other write each way: the kinds of write are many times as many in one life.
    const When when = n / parts % 2 == 0 ? When::kBefore : When::kAfter;
    SCOPED_TRACE("killed " + std::string(when == When::kBefore ? "before" : "after") + " write " + std::to_string(n));
    ExpectSameEnd(life(n, when), reference);
  }
  return reference;
}

}  // namespace holdfast::storagecluster
