// The operator is killed at every one of its writes in the life of a cluster with a PostgreSQL backend. Each migration
// has run once, and passwords are those that were made first.
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/crash_sweep.h"

namespace holdfast::storagecluster {
namespace {

namespace kinds = kube::kinds;
using When = CrashingClient::When;

// One server is enough: what many have more is more of the same.
Json SmallSpec() {
  Json spec = PostgresSpec();
  spec["backends"][0]["postgres"]["instances"] = 1;
  spec["backends"][0]["postgres"]["pooler"] = {{"instances", 0}};
  return spec;
}

// Made, deleted with Retain, made anew; with a crash at write `n` (0 = none).
Ending LiveThrough(int n, When when) {
  ClusterBench bench;
  Ending ending;
  const auto note_jobs = [&] {
    auto jobs = bench.user().List(kinds::kJob, "prod", {}, Deadline::After(std::chrono::seconds{10}));
    ASSERT_TRUE(jobs.ok());
    for (const Json& job : jobs->items) ending.jobs.insert(kube::UidOf(job));
  };
  bench.client().CrashAt(n, when);
  bench.CreateCluster("demo", SmallSpec());
  EXPECT_TRUE(ConvergeThroughCrash(bench));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  note_jobs();
  const Json credentials = bench.Get(kinds::kSecret, "demo-db-credentials").at("data");

  bench.DeleteCluster("demo");
  EXPECT_TRUE(ConvergeThroughCrash(bench));
  EXPECT_TRUE(bench.Cluster("demo").is_null()) << "the deletion has not come to its end";
  bench.CreateCluster("demo", SmallSpec());
  EXPECT_TRUE(ConvergeThroughCrash(bench));
  note_jobs();
  EXPECT_EQ(bench.Get(kinds::kSecret, "demo-db-credentials").at("data"), credentials);
  ending.objects = bench.Objects();
  ending.writes = bench.client().writes();
  return ending;
}

constexpr int kParts = 20;

class PostgresCrashFault : public ::testing::TestWithParam<int> {};

TEST_P(PostgresCrashFault, AtEveryWriteConvergesToTheReference) {
  const Ending reference = SweepCrashes(LiveThrough, GetParam(), kParts);
  EXPECT_GT(reference.writes, 40);
  EXPECT_EQ(reference.jobs.size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Parts, PostgresCrashFault, ::testing::Range(0, kParts));

}  // namespace
}  // namespace holdfast::storagecluster
