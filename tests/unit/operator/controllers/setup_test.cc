// The controller as the operator runs it: real informers, queue and workers, over HTTP.
#include "operator/controllers/storagecluster/setup.h"

#include <thread>

#include "gtest/gtest.h"
#include "tests/unit/operator/controllers/managed_operator.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storagecluster {
namespace {

namespace kinds = kube::kinds;

TEST(StorageClusterController, BringsAClusterUpAndDownAndRests) {
  ClusterBench bench(ClusterBench::Transport::kHttp);
  const ManagedOperator running(bench, {"prod"});
  bench.CreateCluster("demo", EmbeddedSpec());
  ASSERT_TRUE(Eventually([&] {
    bench.PlayStatefulSets();
    return bench.ConditionOf("demo", "Ready") == "True Available";
  })) << bench.ConditionOf("demo", "Ready");

  // At rest: nothing is written in the time in which the road to here took all its writes.
  ASSERT_TRUE(Eventually([&] {
    const int writes = bench.client().writes();
    std::this_thread::sleep_for(std::chrono::milliseconds{1500});
    return bench.client().writes() == writes;
  }));

  bench.DeleteCluster("demo");
  EXPECT_TRUE(Eventually([&] {
    bench.PlayStatefulSets();
    return bench.Cluster("demo").is_null();
  }));
  EXPECT_FALSE(bench.Get(kinds::kPersistentVolumeClaim, "data-demo-0").is_null());
}

// A namespace, and a memory cluster in it.
void CreateElsewhere(ClusterBench& bench, const std::string& ns) {
  const Deadline soon = Deadline::After(std::chrono::seconds{10});
  const kube::ResourceKind namespaces{"", "v1", "Namespace", "namespaces", false};
  const Json home = {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", ns}}}};
  ASSERT_TRUE(bench.user().Create(namespaces, home, soon).ok());
  const Json cluster = {{"apiVersion", api::kApiVersion},
                        {"kind", api::kStorageClusterKind},
                        {"metadata", {{"name", "cache"}, {"namespace", ns}}},
                        {"spec", MemorySpec()}};
  ASSERT_TRUE(bench.user().Create(kinds::kStorageCluster, cluster, soon).ok());
}

bool TakenUp(ClusterBench& bench, const std::string& ns) {
  return bench.user().Get(kinds::kStatefulSet, {ns, "cache"}, Deadline::After(std::chrono::seconds{10})).ok();
}

TEST(StorageClusterController, WatchesTheNamespacesItIsGivenAndNoOthers) {
  ClusterBench bench(ClusterBench::Transport::kHttp);
  for (const char* ns : {"blue", "green", "red"}) CreateElsewhere(bench, ns);
  {
    const ManagedOperator running(bench, {"blue", "green", "blue"});
    ASSERT_TRUE(Eventually([&] { return TakenUp(bench, "blue") && TakenUp(bench, "green"); }));
    // The one that is not watched was there before; nothing of it was ever asked for.
    EXPECT_FALSE(TakenUp(bench, "red"));
  }
  const ManagedOperator everywhere(bench);
  EXPECT_TRUE(Eventually([&] { return TakenUp(bench, "red"); }));
}

TEST(StorageClusterController, AChildThatIsDeletedComesBack) {
  ClusterBench bench(ClusterBench::Transport::kHttp);
  const ManagedOperator running(bench);
  bench.CreateCluster("cache", MemorySpec());
  ASSERT_TRUE(Eventually([&] {
    bench.PlayStatefulSets();
    return bench.ConditionOf("cache", "Ready") == "True Available";
  }));
  const std::string uid = kube::UidOf(bench.Get(kinds::kService, "cache"));
  // Its version may move on between the two calls: the operator is still running.
  ASSERT_TRUE(Eventually([&] {
    const Json service = bench.Get(kinds::kService, "cache");
    return bench.user()
        .Delete(kinds::kService, {"prod", "cache"}, {uid, kube::ResourceVersionOf(service)},
                Deadline::After(std::chrono::seconds{10}))
        .ok();
  }));
  EXPECT_TRUE(Eventually([&] {
    const Json again = bench.Get(kinds::kService, "cache");
    return !again.is_null() && kube::UidOf(again) != uid;
  }));
}

}  // namespace
}  // namespace holdfast::storagecluster
