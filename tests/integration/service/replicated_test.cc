// A store on three volumes, as the program serves it, when the process is killed and a volume is lost.
#include <csignal>
#include <filesystem>
#include <thread>

#include "tests/integration/service/service_fixture.h"

namespace holdfast {
namespace {

constexpr const char* kBackends = "rocksdb}, second: {type: rocksdb}, third: {type: rocksdb";
constexpr const char* kStores = "stores: {main: {backend: local, replicas: [second, third]}}\n";

class ReplicatedService : public testing::Test {
 protected:
  // `more`: of the store.
  Service Start(const std::string& more = "") {
    std::string stores = kStores;
    stores.insert(stores.find("}}"), more);
    return {folder_, kBackends, stores};
  }
  static std::string Key(const std::string& key) { return "/v1/stores/main/keys/" + key; }
  static nlohmann::json Replication(Service& service) {
    return service.Json("GET", "/v1/stores/main").at("composition").at("replicated");
  }
  static void AwaitUp(Service& service, std::size_t replicas) {
    const Deadline patience = Deadline::After(std::chrono::seconds{60});
    std::size_t up = 0;
    while (up != replicas && !patience.Expired()) {
      up = 0;
      const nlohmann::json now = Replication(service);
      for (const auto& replica : now.at("replicas")) up += replica.at("standing") == "up" ? 1 : 0;
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    ASSERT_EQ(up, replicas) << Replication(service).dump();
  }
  // The folder that a backend keeps its files in.
  std::filesystem::path Volume(const std::string& backend) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      if (entry.is_directory() && entry.path().filename() == backend) return entry.path();
    }
    ADD_FAILURE() << "there is no volume of " << backend;
    return {};
  }

  const TemporaryFolder folder_;
};

TEST_F(ReplicatedService, replicated_rocksdb_serves_and_says_what_it_is) {
  Service service = Start();
  AwaitUp(service, 3);
  const auto created = service.Send("PUT", Key("a"), {{"Holdfast-Metadata", R"({"n":1})"}}, "value");
  ASSERT_EQ(created.status, 201) << created.body;
  const auto read = service.Send("GET", Key("a"));
  EXPECT_EQ(read.body, "value");
  EXPECT_EQ(read.headers.at("etag"), created.headers.at("etag"));
  EXPECT_EQ(service.Send("PUT", Key("a"), {{"If-Match", "\"1\""}}, "x").status, 412);
  EXPECT_EQ(service.Send("PUT", Key("a"), {{"If-Match", created.headers.at("etag")}}, "next").status, 204);
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count?prefix=").at("count"), 1);
  const auto locked = service.Send("POST", "/v1/stores/main/locks/l", {}, R"({"owner":"one","ttl":"30s"})");
  EXPECT_EQ(locked.status / 100, 2) << locked.body;

  const nlohmann::json store = service.Json("GET", "/v1/stores/main");
  EXPECT_EQ(store.at("kind"), "replicated");
  EXPECT_EQ(store.at("health").at("status"), "healthy");
  EXPECT_EQ(store.at("capabilities").at("durable_ack"), true);
  EXPECT_EQ(store.at("capabilities").at("fencing_survives_failover"), true);
  EXPECT_EQ(Replication(service).at("write_quorum"), 2);
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/conflicts").at("items").size(), 0u);
  const std::string page = service.Admin("/metrics").body;
  EXPECT_NE(page.find("holdfast_replication_up{store=\"main\"} 3"), std::string::npos);
}

TEST_F(ReplicatedService, replicated_rocksdb_compares_its_replicas_in_the_background_and_says_so) {
  Service service = Start(", replica_compare_interval: 10ms");
  AwaitUp(service, 3);
  ASSERT_EQ(service.Send("PUT", Key("a"), {}, "1").status, 201);
  const std::uint64_t before = Replication(service).at("compare").at("keys");
  const Deadline patience = Deadline::After(std::chrono::seconds{60});
  nlohmann::json compared;
  do {
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    compared = Replication(service).at("compare");
  } while (compared.at("keys") < before + 4 && !patience.Expired());
  EXPECT_GE(compared.at("keys"), before + 4) << compared;
  EXPECT_GE(compared.at("rounds"), 1);
  EXPECT_EQ(compared.at("undecided"), 0);
  EXPECT_EQ(compared.at("mended"), 0);
  EXPECT_TRUE(compared.contains("ended"));
  const std::string page = service.Admin("/metrics").body;
  EXPECT_NE(page.find("holdfast_replication_undecided_keys{store=\"main\"} 0"), std::string::npos);
}

TEST_F(ReplicatedService, replicated_rocksdb_fault_killed_and_a_volume_lost_nothing_acknowledged_is_gone) {
  constexpr int kKeys = 40;
  const auto value = [](int round, int key) { return std::to_string(round) + "." + std::to_string(key); };
  int round = 0;
  for (const std::string lost : {"local", "second", "third"}) {
    {
      Service service = Start();
      AwaitUp(service, 3);
      for (int i = 0; i < kKeys; ++i) {
        ASSERT_EQ(service.Send("PUT", Key(std::to_string(i)), {}, value(round, i)).status / 100, 2);
      }
      ASSERT_EQ(service.Send("PUT", Key("gone"), {}, "1").status, 201);
      ASSERT_EQ(service.Send("DELETE", Key("gone")).status, 204);
      service.process().Signal(SIGKILL);
      service.process().Wait();
    }
    std::filesystem::remove_all(Volume(lost));
    Service service = Start();
    for (int i = 0; i < kKeys; ++i)
      EXPECT_EQ(service.Send("GET", Key(std::to_string(i))).body, value(round, i)) << lost;
    EXPECT_EQ(service.Send("GET", Key("gone")).status, 404);
    // It is filled before the next is lost.
    AwaitUp(service, 3);
    EXPECT_GE(Replication(service).at("copied"), kKeys);
    service.process().Signal(SIGTERM);
    EXPECT_EQ(service.process().Wait(), 0);
    ++round;
  }
}

TEST_F(ReplicatedService, replicated_rocksdb_with_two_volumes_lost_it_does_not_serve_what_is_left) {
  {
    Service service = Start();
    AwaitUp(service, 3);
    ASSERT_EQ(service.Send("PUT", Key("a"), {}, "1").status, 201);
    service.process().Signal(SIGTERM);
    EXPECT_EQ(service.process().Wait(), 0);
  }
  std::filesystem::remove_all(Volume("second"));
  std::filesystem::remove_all(Volume("third"));
  const std::string file = folder_.Write(
      "two-lost.yaml",
      "listen: {port: 0}\nadmin: {port: 0}\nhealth: {start: 2s}\ndata_dir: " + Volume("local").parent_path().string() +
          "\nbackends: {local: {type: " + kBackends + "}}\n" + kStores);
  const Finished run = RunHoldfast({{"serve", "--config", file}, {}, {}});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.errors.find("cannot know what was acknowledged"), std::string::npos) << run.errors;
}

}  // namespace
}  // namespace holdfast
