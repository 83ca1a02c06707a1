// Four shards become three while the operator is killed at each of its writes.
#include "gmock/gmock.h"
#include "operator/resources/redis_servers.h"
#include "tests/unit/operator/shards/reconciler_bench.h"

namespace holdfast::shards {
namespace {

using storagecluster::Crash;
using storagecluster::CrashingClient;

constexpr char kSets[] = "/apis/apps/v1/namespaces/default/statefulsets";
constexpr char kSet[] = "/apis/apps/v1/namespaces/default/statefulsets/demo-cache";
constexpr int kServers = 8;
constexpr int kStay = 6;

class ShrinkingShards : public ReconcilerBench {
 public:
  ShrinkingShards() {
    AskFor({{"shards", 4}});
    ShowPods(kServers);
    servers_.bench.Grow(4);
    Form();
    const Json set = {{"apiVersion", "apps/v1"},
                      {"kind", "StatefulSet"},
                      {"metadata", {{"name", "demo-cache"}, {"annotations", {{resources::kServersAnnotation, "8"}}}}},
                      {"spec",
                       {{"replicas", kServers},
                        {"serviceName", "demo-cache-pods"},
                        {"selector", {{"matchLabels", {{"app", "demo"}}}}},
                        {"template",
                         {{"metadata", {{"labels", {{"app", "demo"}}}}},
                          {"spec", {{"containers", Json::array({{{"name", "redis"}, {"image", "redis"}}})}}}}}}}};
    const auto made = api_.Call("POST", kSets, set);
    EXPECT_TRUE(made.ok()) << made.body;
    Watch();
    AskFor({{"shards", 3}, {"cluster", {{"slotsAtOnce", 2'048}}}});
    client_.on_write = [this](const std::string& verb, const std::string& target) { Check(verb, target); };
  }

  Json Set() { return api_.Call("GET", kSet).body; }
  // The controller of the StorageCluster does, when the StatefulSet says that they are enough.
  bool MayLower() {
    const Json set = Set();
    return resources::DesiredServers(kStay, &set).pods == kStay;
  }
  // False: the operator was killed.
  bool Look() {
    try {
      Reconcile();
      return true;
    } catch (const Crash&) {
      return false;
    }
  }
  int times_let_go() const { return times_let_go_; }
  ShardBench& servers() { return servers_.bench; }
  CrashingClient& client() { return client_; }

 private:
  // Nothing is on them, and nobody that stays knows them.
  void Check(const std::string& verb, const std::string& target) {
    if (verb != "patch" || target.find("demo-cache") == std::string::npos) return;
    ++times_let_go_;
    for (int i = kStay; i < kServers; ++i) {
      const std::string id = servers_.bench.IdOf(i);
      for (int slot = 0; slot < redis::kSlots; ++slot) ASSERT_NE(servers_.bench.OwnerOf(slot), id);
      for (int other = 0; other < kStay; ++other) EXPECT_FALSE(servers_.bench.KnownTo(other).contains(id));
    }
  }

  int times_let_go_ = 0;
};

TEST(ShardScaleInCrash, EveryStepIsResumed) {
  bool crashed = true;
  int crashes = 0;
  for (int nth = 1; crashed; ++nth) {
    for (const auto when : {CrashingClient::When::kBefore, CrashingClient::When::kAfter}) {
      SCOPED_TRACE("write " + std::to_string(nth));
      ShrinkingShards bench;
      bench.client().CrashAt(nth, when);
      crashed = false;
      for (int look = 0; look < 100 && !bench.MayLower(); ++look) {
        if (bench.Look()) continue;
        crashed = true;
        ++crashes;
        bench.StartOperator();
      }
      ASSERT_TRUE(bench.MayLower());
      // Once, and once more where it was killed before.
      EXPECT_GE(bench.times_let_go(), 1);
      EXPECT_LE(bench.times_let_go(), 2);
      for (int look = 0; look < 3; ++look) EXPECT_TRUE(bench.Look() || crashed);
    }
  }
  // The status when slots begin to move, while they do and when they have moved, and the StatefulSet.
  EXPECT_GE(crashes, 6);
}

// Asked for again before their pods went, the StatefulSet keeps them.
TEST(ShardScaleInCrash, WhatWasSaidOfFewerHoldsForThemOnly) {
  ShrinkingShards bench;
  for (int look = 0; look < 100 && !bench.MayLower(); ++look) ASSERT_TRUE(bench.Look());
  const Json set = bench.Set();
  EXPECT_EQ(resources::DesiredServers(kServers, &set).pods, kServers);
  EXPECT_EQ(resources::DesiredServers(4 + 1, &set).pods, kServers);
}

}  // namespace
}  // namespace holdfast::shards
