// A store with a cache in memory over RocksDB, as the program serves it.
#include <csignal>
#include <thread>

#include "tests/integration/service/service_fixture.h"

namespace holdfast {
namespace {

constexpr const char* kBackends = "rocksdb}, hot: {type: memory, max_bytes: 4Mi, eviction: lru";
constexpr const char* kStores = "stores: {main: {backend: local, cache: hot}}\n";

class TieredService : public testing::Test {
 protected:
  Service Start(const std::string& stores = kStores) { return Service(folder_, kBackends, stores); }
  // Keys under two prefixes, which a service that has ended left behind.
  void LeaveKeys(int keys) {
    Service service = Start();
    for (int i = 0; i < keys; ++i) {
      for (const char* prefix : {"warm", "cold"}) {
        ASSERT_EQ(service.Send("PUT", Key(prefix + std::to_string(i)), {}, "v").status, 201);
      }
    }
    service.process().Signal(SIGTERM);
    ASSERT_EQ(service.process().Wait(), 0);
  }
  // Of gets of all keys under the prefix, those that no copy answered.
  static double Missed(Service& service, const std::string& prefix, int keys) {
    const double before = Requests(service, "miss");
    for (int i = 0; i < keys; ++i) EXPECT_EQ(service.Send("GET", Key(prefix + std::to_string(i))).body, "v");
    return Requests(service, "miss") - before;
  }
  static double Requests(Service& service, const std::string& result) {
    const std::string page = service.Admin("/metrics").body;
    const std::string series = "holdfast_cache_requests_total{result=\"" + result + "\",store=\"main\"} ";
    const std::size_t at = page.find(series);
    return at == std::string::npos ? -1 : std::stod(page.substr(at + series.size()));
  }
  static std::string Key(const std::string& key) { return "/v1/stores/main/keys/" + key; }

  const TemporaryFolder folder_;
};

TEST_F(TieredService, tiered_memory_rocksdb_serves_from_copies_and_says_what_it_is) {
  Service service = Start();
  const auto created = service.Send("PUT", Key("a"), {{"Holdfast-Metadata", R"({"n":1})"}}, "value");
  ASSERT_EQ(created.status, 201) << created.body;
  const double before = Requests(service, "hit");
  for (int i = 0; i < 5; ++i) {
    const auto read = service.Send("GET", Key("a"));
    EXPECT_EQ(read.body, "value");
    EXPECT_EQ(read.headers.at("etag"), created.headers.at("etag"));
    EXPECT_EQ(read.headers.at("Holdfast-Metadata"), R"({"n":1})");
  }
  EXPECT_GE(Requests(service, "hit"), before + 5);
  EXPECT_EQ(service.Send("GET", Key("a"), {{"If-None-Match", created.headers.at("etag")}}).status, 304);
  EXPECT_EQ(service.Send("PUT", Key("a"), {{"If-Match", "\"1\""}}, "x").status, 412);
  EXPECT_EQ(service.Send("PUT", Key("a"), {{"If-Match", created.headers.at("etag")}}, "next").status, 204);
  EXPECT_EQ(service.Send("GET", Key("a")).body, "next");
  EXPECT_EQ(service.Send("DELETE", Key("a")).status, 204);
  EXPECT_EQ(service.Send("GET", Key("a")).status, 404);
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count?prefix=").at("count"), 0);

  const nlohmann::json store = service.Json("GET", "/v1/stores/main");
  EXPECT_EQ(store.at("kind"), "tiered");
  EXPECT_EQ(store.at("composition").at("tiered").at("cache"), "hot");
  EXPECT_EQ(store.at("composition").at("tiered").at("store"), "local");
  EXPECT_EQ(store.at("durability"), "sync");
  EXPECT_EQ(store.at("capabilities").at("durable_ack"), true);
}

TEST_F(TieredService, tiered_memory_rocksdb_fault_killed_nothing_acknowledged_is_lost) {
  {
    Service service = Start();
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ(service.Send("PUT", Key(std::to_string(i)), {}, std::to_string(i)).status, 201);
    }
    service.process().Signal(SIGKILL);
    service.process().Wait();
  }
  Service service = Start();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(service.Send("GET", Key(std::to_string(i))).body, std::to_string(i));
}

// What documents, locks and quotas keep is never answered from a copy that is too old.
TEST_F(TieredService, tiered_memory_rocksdb_locks_and_documents_are_those_of_the_system_of_record) {
  Service service = Start();
  const std::string lock = "/v1/stores/main/locks/a";
  const nlohmann::json first = service.Json("POST", lock, R"({"owner":"one","ttl":"1h"})");
  EXPECT_EQ(service.Send("POST", lock, {}, R"({"owner":"two","ttl":"1h"})").status, 409);
  EXPECT_EQ(service.Send("DELETE", lock + "?lease=" + first.at("lease").get<std::string>()).status, 204);
  const nlohmann::json second = service.Json("POST", lock, R"({"owner":"two","ttl":"1h"})");
  EXPECT_GT(second.at("token").get<std::uint64_t>(), first.at("token").get<std::uint64_t>());
  const std::string collection = "/v1/stores/main/collections/c";
  EXPECT_EQ(service.Send("PUT", collection, {}, R"({"indexes":["state"]})").status / 100, 2);
  for (const char* state : {"Active", "Closed"}) {
    EXPECT_EQ(
        service.Send("PUT", collection + "/documents/1", {}, std::string(R"({"state":")") + state + "\"}").status / 100,
        2);
    const nlohmann::json found =
        service.Json("GET", collection + "/documents?filter=state%20%3D%20%22" + state + "%22");
    EXPECT_EQ(found.at("items").size(), 1u) << found;
  }
}

TEST_F(TieredService, tiered_memory_rocksdb_readers_beside_a_writer_never_go_back) {
  Service service = Start();
  ASSERT_EQ(service.Send("PUT", Key("n"), {}, "0").status, 201);
  std::atomic<int> acknowledged{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        const int least = acknowledged;
        const int read = std::stoi(service.Send("GET", Key("n")).body);
        EXPECT_GE(read, least);
      }
    });
  }
  for (int i = 1; i <= 300; ++i) {
    ASSERT_EQ(service.Send("PUT", Key("n"), {}, std::to_string(i)).status, 204);
    acknowledged = i;
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

TEST_F(TieredService, tiered_memory_rocksdb_is_warmed_by_a_request) {
  constexpr int kKeys = 20;
  ASSERT_NO_FATAL_FAILURE(LeaveKeys(kKeys));
  Service service = Start();
  const nlohmann::json part = service.Json("POST", "/v1/stores/main?action=warm&prefix=warm&limit=5");
  EXPECT_EQ(part.at("entries"), 5);
  EXPECT_EQ(part.at("complete"), false);
  const nlohmann::json warm = service.Json("POST", "/v1/stores/main?action=warm&prefix=warm");
  EXPECT_EQ(warm.at("action"), "warm");
  EXPECT_EQ(warm.at("entries"), kKeys);
  EXPECT_GT(warm.at("bytes"), kKeys);
  EXPECT_EQ(warm.at("complete"), true);
  EXPECT_EQ(Missed(service, "warm", kKeys), 0);
  EXPECT_EQ(Missed(service, "cold", kKeys), kKeys);
  EXPECT_EQ(service.Send("POST", "/v1/stores/main?action=warm&limit=0").status, 400);
  EXPECT_EQ(service.Send("POST", "/v1/stores/main?action=compact&prefix=a").status, 400);
}

TEST_F(TieredService, tiered_memory_rocksdb_is_warmed_at_the_start) {
  constexpr int kKeys = 20;
  ASSERT_NO_FATAL_FAILURE(LeaveKeys(kKeys));
  Service service = Start("stores: {main: {backend: local, cache: hot, warm_prefixes: [warm]}}\n");
  const Deadline patience = Deadline::After(std::chrono::seconds{60});
  while (service.process().Errors().find("a cache is warm") == std::string::npos) {
    ASSERT_FALSE(patience.Expired()) << service.process().Errors();
    std::this_thread::yield();
  }
  EXPECT_EQ(Missed(service, "warm", kKeys), 0);
  EXPECT_EQ(Missed(service, "cold", kKeys), kKeys);
}

}  // namespace
}  // namespace holdfast
