#include "operator/api/v1/store_move.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/api/v1/storage_cluster.h"

namespace holdfast::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Json Cluster(const std::string& backend, const std::vector<StoreMove>& moves,
             const std::vector<std::string>& backends = {"a", "b", "c"}) {
  Json list = Json::array();
  for (const std::string& name : backends)
    list.push_back({{"name", name}, {"embedded", {{"storage", {{"size", "1Gi"}}}}}});
  return {{"apiVersion", kApiVersion},
          {"kind", kStorageClusterKind},
          {"metadata", {{"name", "demo"}}},
          {"spec", {{"backends", list}, {"stores", Json::array({{{"name", "main"}, {"backend", backend}}})}}},
          {"status", {{"moves", MovesToJson(moves)}}}};
}

StoreMove Moved() {
  return {.store = "main", .backend = "b", .former = {"a"}, .migration = "move", .uid = "u1"};
}
StoreMove Moving() {
  return {.store = "main",
          .backend = "a",
          .to = "b",
          .migration = "move",
          .uid = "u1",
          .keys_per_second = 7,
          .caller = "ff"};
}

std::string BackendOf(const Json& cluster) {
  const ParsedStorageCluster parsed = ParseStorageCluster(cluster);
  return parsed.cluster ? parsed.cluster->spec.stores.front().backend : Summarize(parsed.errors);
}

TEST(StoreMoves, ReadBackAsTheyWereWritten) {
  EXPECT_THAT(MovesOf(Cluster("a", {Moving()})), ElementsAre(Moving()));
  EXPECT_THAT(MovesOf(Cluster("a", {Moved()})), ElementsAre(Moved()));
  EXPECT_THAT(MovesOf({{"status", {{"moves", {1, "x", {{"store", "main"}}}}}}}), IsEmpty());
  EXPECT_THAT(MovesOf({{"status", {{"moves", "x"}}}}), IsEmpty());
}

TEST(StoreMoves, PutStoresWhereTheyAre) {
  EXPECT_EQ(BackendOf(Cluster("a", {})), "a");
  EXPECT_EQ(BackendOf(Cluster("a", {Moved()})), "b") << "the spec names what it has left";
  EXPECT_EQ(BackendOf(Cluster("b", {Moved()})), "b");
  EXPECT_EQ(BackendOf(Cluster("c", {Moved()})), "c") << "a backend that it never was in is a wish";
  for (const char* specified : {"a", "b", "c"}) {
    EXPECT_EQ(BackendOf(Cluster(specified, {Moving()})), "a") << "on its way it is where it was";
  }
}

TEST(StoreMoves, DoNotLetTheBackendGo) {
  EXPECT_THAT(BackendOf(Cluster("a", {Moved()}, {"a", "c"})), HasSubstr("the entries of store main are in backend b"));
  EXPECT_THAT(BackendOf(Cluster("a", {Moving()}, {"a", "c"})), HasSubstr("is being moved to backend b"));
}

TEST(StoreMoves, NeverMeetTheLocksOfAStore) {
  Json cluster = Cluster("a", {Moved()});
  for (const char* name : {"b", "l1", "l2"}) {
    Json& backends = cluster["spec"]["backends"];
    std::erase_if(backends.get_ref<Json::array_t&>(), [&](const Json& each) { return each.at("name") == name; });
    backends.push_back(
        {{"name", name}, {"redis", {{"storage", {{"size", "1Gi"}}}, {"persistence", {{"fsync", "always"}}}}}});
  }
  cluster["spec"]["stores"][0]["lockBackends"] = {"b", "l1", "l2"};
  EXPECT_THAT(BackendOf(cluster),
              HasSubstr("store main has its entries in backend b by StorageMigration move: lockBackends must name "
                        "others"));
  cluster["status"]["moves"] = MovesToJson({Moving()});
  EXPECT_THAT(BackendOf(cluster), HasSubstr("in backend a, and is being moved to b by StorageMigration move: lockB"));
}

TEST(StoreMoves, LeaveTheChangeLogBehind) {
  Json cluster = Cluster("a", {Moving()});
  cluster["spec"]["backups"] = {{"claimName", "backups"}};
  cluster["spec"]["stores"][0]["changeArchive"] = true;
  EXPECT_THAT(BackendOf(cluster),
              HasSubstr("store main is being moved to backend b by StorageMigration move, and its changes cannot be "
                        "shipped meanwhile: take changeArchive away"));
  cluster["status"]["moves"] = MovesToJson({Moved()});
  EXPECT_EQ(BackendOf(cluster), "b") << "an embedded one again";
  Json& backends = cluster["spec"]["backends"];
  std::erase_if(backends.get_ref<Json::array_t&>(), [](const Json& each) { return each.at("name") == "b"; });
  backends.push_back({{"name", "b"}, {"postgres", {{"storage", {{"size", "1Gi"}}}}}});
  EXPECT_EQ(BackendOf(cluster), "b") << "a server that keeps its changes";
  backends.back() = {{"name", "b"}, {"redis", {{"storage", {{"size", "1Gi"}}}}}};
  EXPECT_EQ(BackendOf(cluster), "b") << "likewise";
}

TEST(StoreMoves, AreForgottenWhenNothingCanGoWrongAnyMore) {
  const auto left = [](const std::string& backend, const StoreMove& move, const std::vector<std::string>& backends) {
    return !WithoutSettled({move}, Cluster(backend, {move}, backends)).empty();
  };
  EXPECT_TRUE(left("a", Moved(), {"a", "b"})) << "what the spec names is wrong";
  EXPECT_TRUE(left("b", Moved(), {"a", "b"})) << "an old manifest may come back";
  EXPECT_FALSE(left("b", Moved(), {"b"}));
  EXPECT_FALSE(left("c", Moved(), {"a", "b", "c"})) << "the store was put elsewhere";
  EXPECT_TRUE(left("b", Moving(), {"b"})) << "what is under way is never forgotten";
}

TEST(StoreMoves, AreTold) {
  EXPECT_THAT(MisplacedStores({Moved()}, Cluster("b", {})), IsEmpty());
  const auto misplaced = MisplacedStores({Moved()}, Cluster("a", {}));
  ASSERT_EQ(misplaced.size(), 1u);
  EXPECT_EQ(misplaced.front().specified, "a");
  EXPECT_EQ(misplaced.front().backend, "b");
}

}  // namespace
}  // namespace holdfast::api
