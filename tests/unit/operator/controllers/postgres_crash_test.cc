// The operator is killed at every one of its writes in the life of a cluster with a PostgreSQL backend, before and
// after the server has carried it out; a new one takes over. The end is that of the undisturbed run, each migration has
// run once, and passwords are those that were made first.
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {
namespace {

namespace kinds = kube::kinds;
using When = CrashingClient::When;

bool ConvergeThroughCrash(ClusterBench& bench) {
  try {
    return bench.Converge("demo");
  } catch (const Crash&) {
    bench.RestartOperator();
    return bench.Converge("demo");
  }
}

struct Ending {
  std::map<std::string, Json> objects;
  int writes = 0;
  std::set<std::string> jobs;  // uids of all there ever were
};

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

// The writes are dealt out to many cases, so that none takes long.
constexpr int kParts = 20;

class PostgresCrashFault : public ::testing::TestWithParam<int> {};

TEST_P(PostgresCrashFault, AtEveryWriteConvergesToTheReference) {
  const Ending reference = LiveThrough(0, When::kBefore);
  ASSERT_GT(reference.writes, 40);
  EXPECT_EQ(reference.jobs.size(), 2u);
  for (int n = 1 + GetParam(); n <= reference.writes; n += kParts) {
    // Every other write each way: the kinds of write are many times as many in one life.
    const When when = n / kParts % 2 == 0 ? When::kBefore : When::kAfter;
    SCOPED_TRACE("killed " + std::string(when == When::kBefore ? "before" : "after") + " write " + std::to_string(n));
    const Ending ending = LiveThrough(n, when);
    EXPECT_EQ(ending.jobs.size(), reference.jobs.size()) << "a migration ran twice, or not";
    ASSERT_EQ(ending.objects.size(), reference.objects.size());
    for (const auto& [name, object] : reference.objects) {
      ASSERT_TRUE(ending.objects.contains(name)) << name;
      EXPECT_EQ(ending.objects.at(name), object) << Json::diff(object, ending.objects.at(name));
    }
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Parts, PostgresCrashFault, ::testing::Range(0, kParts));

}  // namespace
}  // namespace holdfast::storagecluster
