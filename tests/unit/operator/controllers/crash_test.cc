// The operator is killed at every one of its writes, before and after the server has carried it out; a new one takes
// over. The end must be that of the undisturbed run.
#include <tuple>

#include "gtest/gtest.h"
#include "operator/controllers/storagecluster/finalize.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {
namespace {

namespace kinds = kube::kinds;
using When = CrashingClient::When;

// Runs a step of the story; when the operator dies in it, a new one carries on.
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
  bool claim_survived = false;
};

// Scale 1, delete, make anew under the same name; with a crash at write `n` (0 = none).
Ending LiveThrough(const Json& spec, int n, When when) {
  ClusterBench bench;
  bench.client().CrashAt(n, when);
  bench.CreateCluster("demo", spec);
  EXPECT_TRUE(ConvergeThroughCrash(bench));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  const std::string claim = kube::UidOf(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0"));

  bench.PatchSpec("demo", {{"service", {{"replicas", 0}}}});
  EXPECT_TRUE(ConvergeThroughCrash(bench));
  bench.PatchSpec("demo", {{"service", {{"replicas", 1}}}, {"backends", EmbeddedSpec("2Gi").at("backends")}});
  EXPECT_TRUE(ConvergeThroughCrash(bench));
  EXPECT_EQ(kube::UidOf(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0")), claim);

  bench.DeleteCluster("demo");
  EXPECT_TRUE(ConvergeThroughCrash(bench));
  EXPECT_TRUE(bench.Cluster("demo").is_null()) << "the deletion has not come to its end";

  bench.CreateCluster("demo", spec);
  EXPECT_TRUE(ConvergeThroughCrash(bench));
  Ending ending;
  ending.objects = bench.Objects();
  ending.writes = bench.client().writes();
  ending.claim_survived = kube::UidOf(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0")) == claim;
  return ending;
}

// The writes are dealt out to several cases, so that none takes long.
constexpr int kParts = 8;

class CrashFault : public ::testing::TestWithParam<std::tuple<const char*, int>> {};

TEST_P(CrashFault, AtEveryWriteConvergesToTheReference) {
  const std::string policy = std::get<0>(GetParam());
  Json spec = EmbeddedSpec();
  spec["terminationPolicy"] = policy;
  const Ending reference = LiveThrough(spec, 0, When::kBefore);
  ASSERT_GT(reference.writes, 20);
  EXPECT_EQ(reference.claim_survived, policy == "Retain");
  for (int n = 1 + std::get<1>(GetParam()); n <= reference.writes; n += kParts) {
    for (const When when : {When::kBefore, When::kAfter}) {
      SCOPED_TRACE("killed " + std::string(when == When::kBefore ? "before" : "after") + " write " + std::to_string(n));
      const Ending ending = LiveThrough(spec, n, when);
      EXPECT_EQ(ending.claim_survived, reference.claim_survived);
      ASSERT_EQ(ending.objects.size(), reference.objects.size());
      for (const auto& [name, object] : reference.objects) {
        ASSERT_TRUE(ending.objects.contains(name)) << name;
        EXPECT_EQ(ending.objects.at(name), object) << Json::diff(object, ending.objects.at(name));
      }
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Parts, CrashFault,
                         ::testing::Combine(::testing::Values("Retain", "Delete"), ::testing::Range(0, kParts)),
                         [](const auto& instance) {
                           return std::string(std::get<0>(instance.param)) +
                                  std::to_string(std::get<1>(instance.param));
                         });

TEST(CrashControl, TheBenchNoticesALostWrite) {
  // The control: what a crash leaves behind without a new operator is not the reference.
  ClusterBench bench;
  bench.client().CrashAt(4, When::kBefore);
  bench.CreateCluster("demo", EmbeddedSpec());
  EXPECT_THROW(bench.Converge("demo"), Crash);
  EXPECT_LT(bench.Objects().size(), 9u);
}

}  // namespace
}  // namespace holdfast::storagecluster
