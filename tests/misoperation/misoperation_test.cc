// Whatever is written into a field: the server refuses it and names the field, or the status says what is wrong, or it
// is carried out. The good spec, applied again, always recovers.
#include <memory>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/misoperation/misoperations.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::misoperation {
namespace {

using storagecluster::ClusterBench;
namespace kinds = kube::kinds;

constexpr int kParts = 16;

// Replaces the spec as a whole, as `kubectl replace` does. What the server says when it refuses, or nothing.
std::optional<std::string> Replace(ClusterBench& bench, const Json& spec) {
  Json cluster = bench.Cluster("demo");
  cluster["spec"] = spec;
  const auto replaced = bench.user().Update(kinds::kStorageCluster, cluster, Deadline::After(std::chrono::seconds{10}));
  if (replaced.ok()) return std::nullopt;
  return replaced.error().ToString();
}

// What the status says about the spec that is there now: Ready is True, or why not; empty = it says nothing about it.
std::string Verdict(ClusterBench& bench) {
  const Json cluster = bench.Cluster("demo");
  static const Json::json_pointer observed("/status/observedGeneration");
  if (!cluster.contains(observed) || cluster.at(observed) != kube::GenerationOf(cluster)) return {};
  return bench.ConditionOf("demo", "Ready") + ": " + bench.MessageOf("demo", "Ready");
}

Json GoodSpec(const std::string& name) {
  for (Good& good : GoodSpecs()) {
    if (good.name == name) return std::move(good.spec);
  }
  ADD_FAILURE() << "there is no good spec " << name;
  return {};
}

class Misoperations : public ::testing::TestWithParam<int> {};

TEST_P(Misoperations, AreRefusedOrExplainedAndAlwaysRecoveredFrom) {
  std::unique_ptr<ClusterBench> owned;
  std::string good_name;
  Json good;
  const std::vector<Misoperation> all = misoperation::Misoperations();
  for (std::size_t i = static_cast<std::size_t>(GetParam()); i < all.size(); i += kParts) {
    const Misoperation& one = all[i];
    SCOPED_TRACE(one.path + ", " + one.what + ", of a cluster on " + one.good);
    if (one.good != good_name) {
      owned = std::make_unique<ClusterBench>();
      good_name = one.good;
      good = GoodSpec(good_name);
      owned->CreateCluster("demo", good);
      ASSERT_TRUE(owned->Converge("demo"));
    }
    ClusterBench& bench = *owned;
    if (const auto refusal = Replace(bench, one.spec)) {
      EXPECT_NE(refusal->find(one.field), std::string::npos) << "does not name the field: " << refusal->substr(0, 500);
      continue;  // nothing was changed
    }
    // What is accepted and waits for something that is not played here need not come to rest.
    for (int round = 0; round < 6; ++round) {
      ASSERT_TRUE(bench.Reconcile("demo").ok());
      bench.PlayStatefulSets();
      bench.PlayDatabases();
    }
    const std::string verdict = Verdict(bench);
    EXPECT_NE(verdict, "") << "the status is not about this spec";
    if (one.must_be_refused) {
      EXPECT_EQ(verdict.substr(0, 17), "False InvalidSpec") << verdict;
      EXPECT_NE(verdict.find(one.field), std::string::npos) << verdict.substr(0, 500);
    }
    ASSERT_EQ(Replace(bench, good), std::nullopt);
    ASSERT_TRUE(bench.Converge("demo"));
    ASSERT_EQ(Verdict(bench).substr(0, 15), "True Available:") << Verdict(bench);
  }
}

INSTANTIATE_TEST_SUITE_P(Parts, Misoperations, ::testing::Range(0, kParts));

// A field that is added to the definition and not swept fails here, and so does a sweep of what is no field.
TEST(MisoperationList, CoversEveryFieldOfTheDefinition) {
  const std::vector<Misoperation> all = misoperation::Misoperations();
  std::set<std::string> paths;
  int refused = 0;
  for (const Misoperation& one : all) {
    paths.insert(one.path);
    if (one.must_be_refused) ++refused;
  }
  EXPECT_EQ(paths, PathsOfDefinition());
  EXPECT_GT(all.size(), 400u);
  EXPECT_GT(refused, 200);
  // The control: paths are spelled as people write them, down to the values of a map.
  EXPECT_THAT(paths, ::testing::IsSupersetOf({"spec.backends[0].embedded.storage.autogrow.threshold",
                                              "spec.backends[0].memory.maxBytes",
                                              "spec.backends[0].postgres.external.urlSecretRef.key",
                                              "spec.backends[0].postgres.parameters[*]", "spec.terminationPolicy"}));
}

// The control: a good value is not taken for a misoperation, so the sweep can tell one from the other.
TEST(MisoperationList, TheGoodSpecsAreGood) {
  for (const Good& good : GoodSpecs()) {
    SCOPED_TRACE(good.name);
    ClusterBench bench;
    bench.CreateCluster("demo", good.spec);
    ASSERT_TRUE(bench.Converge("demo"));
    EXPECT_EQ(Verdict(bench).substr(0, 15), "True Available:");
    Json nonsense = good.spec;
    nonsense["defaultStore"] = "nowhere";
    ASSERT_EQ(Replace(bench, nonsense), std::nullopt) << "a rule, which the double does not evaluate";
    ASSERT_TRUE(bench.Converge("demo"));
    EXPECT_EQ(Verdict(bench).substr(0, 17), "False InvalidSpec");
  }
}

}  // namespace
}  // namespace holdfast::misoperation
