// Stores that acknowledge writes before their backend has them, as the program serves them, when the process is killed
// and when PostgreSQL behind it is away.
#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <random>
#include <thread>

#include "tests/integration/service/service_fixture.h"
#include "tests/postgres/entry_schema.h"
#include "tests/postgres/shared_server.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using std::chrono::milliseconds;

constexpr const char* kHotAndQueue = "}, hot: {type: memory, max_bytes: 4Mi, eviction: lru}, log: {type: rocksdb";

std::string StoreOf(const std::string& write) {
  return fmt::format("stores: {{main: {{backend: local, cache: hot{}}}}}\n", write);
}
const std::string kBehind = StoreOf(", write: behind, write_queue: log");
// Nothing leaves by itself while a test lasts.
const std::string kBack = StoreOf(", write: back, write_queue: log, write_back_delay: 1h");
const std::string kThrough = StoreOf("");

std::string Key(const std::string& key) {
  return "/v1/stores/main/keys/" + key;
}

nlohmann::json Tiered(Service& service) {
  return service.Json("GET", "/v1/stores/main").at("composition").at("tiered");
}

void Kill(Service& service) {
  service.process().Signal(SIGKILL);
  service.process().Wait();
}

void End(Service& service) {
  service.process().Signal(SIGTERM);
  EXPECT_EQ(service.process().Wait(), 0) << service.process().Errors();
}

class WriteBehindService : public testing::Test {
 protected:
  Service Start(const std::string& stores) { return Service(folder_, fmt::format("rocksdb{}", kHotAndQueue), stores); }
  void PutAndKill(int keys) {
    Service service = Start(kBack);
    for (int i = 0; i < keys; ++i) {
      ASSERT_EQ(service.Send("PUT", Key(std::to_string(i)), {}, "v" + std::to_string(i)).status, 201);
    }
    EXPECT_EQ(Tiered(service).at("queue").at("entries"), keys);  // none of it has left
    Kill(service);
  }
  const TemporaryFolder folder_;
};

TEST_F(WriteBehindService, tiered_rocksdb_says_what_its_acknowledgement_means) {
  Service service = Start(kBack);
  const auto put = service.Send("PUT", Key("a"), {}, "1");
  ASSERT_EQ(put.status, 201);
  const auto read = service.Send("GET", Key("a"));
  EXPECT_EQ(read.body, "1");
  EXPECT_EQ(read.headers.at("etag"), put.headers.at("etag"));
  EXPECT_EQ(service.Send("PUT", Key("a"), {}, "2").status, 204);
  const auto swapped = service.Send("PUT", Key("a"), {{"If-Match", put.headers.at("etag")}}, "3");
  EXPECT_EQ(swapped.status, 412);
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count?prefix=").at("count"), 1);
  const nlohmann::json store = service.Json("GET", "/v1/stores/main");
  EXPECT_EQ(store.at("capabilities").at("durable_ack"), true);
  EXPECT_EQ(store.at("capabilities").at("versions_final"), true);
  EXPECT_EQ(Tiered(service).at("write"), "back");
  EXPECT_EQ(Tiered(service).at("queue").at("coalesced"), 1);
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/conflicts").at("items").size(), 0u);
  End(service);
}

TEST_F(WriteBehindService, tiered_rocksdb_fault_killed_what_was_acknowledged_and_queued_is_there) {
  constexpr int kKeys = 50;
  ASSERT_NO_FATAL_FAILURE(PutAndKill(kKeys));
  {
    Service service = Start(kBehind);
    for (int i = 0; i < kKeys; ++i) {
      EXPECT_EQ(service.Send("GET", Key(std::to_string(i))).body, "v" + std::to_string(i));
    }
    EXPECT_EQ(service.Json("GET", "/v1/stores/main/count?prefix=").at("count"), kKeys);
    EXPECT_EQ(Tiered(service).at("queue").at("conflicts"), 0);
    End(service);
  }
  Service service = Start(kThrough);
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count?prefix=").at("count"), kKeys);
}

// The control of the one above: a queue that is lost is seen.
TEST_F(WriteBehindService, tiered_rocksdb_fault_killed_with_its_queue_lost_what_was_queued_is_gone) {
  ASSERT_NO_FATAL_FAILURE(PutAndKill(5));
  bool removed = false;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    if (!entry.is_directory() || entry.path().filename() != "log") continue;
    std::filesystem::remove_all(entry.path());
    removed = true;
    break;
  }
  ASSERT_TRUE(removed);
  Service service = Start(kBehind);
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count?prefix=").at("count"), 0);
}

TEST_F(WriteBehindService, tiered_rocksdb_graceful_shutdown_brings_what_is_queued) {
  {
    Service service = Start(kBack);
    for (int i = 0; i < 20; ++i) ASSERT_EQ(service.Send("PUT", Key(std::to_string(i)), {}, "v").status, 201);
    End(service);
  }
  Service service = Start(kThrough);
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count?prefix=").at("count"), 20);
}

TEST_F(WriteBehindService, tiered_rocksdb_fault_killed_at_any_point_of_writing_and_bringing) {
  const char* const wanted = std::getenv("HOLDFAST_SEED");
  const std::uint64_t seed = wanted != nullptr ? std::stoull(wanted) : 1;
  std::printf("HOLDFAST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  constexpr int kRounds = 6;
  constexpr int kTaken = 10;  // writes of a round, at least
  constexpr int kKeys = 8;
  std::array<int, kKeys> acknowledged{};  // the number of the last write of each key that was
  std::array<int, kKeys> sent{};
  for (int round = 0; round < kRounds; ++round) {
    Service service = Start(kBehind);
    for (std::size_t i = 0; i < kKeys; ++i) {
      const std::string body = service.Send("GET", Key(std::to_string(i))).body;
      const int value = acknowledged[i] == 0 && body.find('{') != std::string::npos ? 0 : std::atoi(body.c_str());
      EXPECT_GE(value, acknowledged[i]) << i << " in round " << round << ": " << body;
      EXPECT_LE(value, sent[i]);
    }
    // In the middle by what was acknowledged, however fast the machine is; within that, anywhere.
    std::atomic<bool> over{false};
    std::atomic<int> taken{0};
    std::thread killer(
        [&, until = kTaken + static_cast<int>(random() % 30), further = std::chrono::microseconds{random() % 3000}] {
          while (!over && taken < until) std::this_thread::yield();
          std::this_thread::sleep_for(further);
          service.process().Signal(SIGKILL);
        });
    http::ClientOptions options;
    options.base_url = service.url();
    http::HttpClient client(options);
    for (std::size_t n = 0;; ++n) {
      const std::size_t i = n % kKeys;
      const auto answer = client.Send({"PUT", Key(std::to_string(i)), {}, std::to_string(++sent[i])},
                                      Deadline::After(std::chrono::seconds{60}));
      if (!answer.ok()) break;
      if (answer->status / 100 != 2) continue;
      acknowledged[i] = sent[i];
      ++taken;
    }
    over = true;
    killer.join();
    service.process().Wait();
  }
  Service service = Start(kBehind);
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count?prefix=").at("count"), kKeys);
  EXPECT_EQ(Tiered(service).at("queue").at("conflicts"), 0);
  int writes = 0;
  for (const int last : acknowledged) writes += last;
  EXPECT_GE(writes, kRounds * kTaken);
}

class WriteBehindPostgres : public testing::Test {
 protected:
  WriteBehindPostgres() : server_(postgres_servers::Server::Start().value()), database_(*server_) {
    EXPECT_TRUE(postgres_servers::MakeEntrySchema(database_).ok());
  }
  Service Start(const TemporaryFolder& folder, const std::string& stores) {
    return Service(folder,
                   fmt::format("postgres, url: \"{}\", pool_max: 4, poll_interval: 50ms, connect_timeout: 2500ms{}",
                               database_.Url(), kHotAndQueue),
                   stores);
  }
  const std::unique_ptr<postgres_servers::Server> server_;
  postgres_servers::FreshDatabase database_;
  const TemporaryFolder folder_;
  const TemporaryFolder other_folder_;
};

TEST_F(WriteBehindPostgres, tiered_memory_postgres_fault_away_writes_are_taken_and_brought_when_it_is_back) {
  constexpr int kKeys = 30;
  {
    Service service = Start(folder_, kBehind);
    const nlohmann::json capabilities = service.Json("GET", "/v1/stores/main").at("capabilities");
    EXPECT_EQ(capabilities.at("versions_final"), false);
    const auto first = service.Send("PUT", Key("first"), {}, "1");
    ASSERT_EQ(first.status, 201);
    ASSERT_TRUE(Eventually([&] { return Tiered(service).at("queue").at("entries") == 0; }));
    // The ETag that was acknowledged is good, though PostgreSQL has given it one of its own.
    EXPECT_EQ(service.Send("PUT", Key("first"), {{"If-Match", first.headers.at("etag")}}, "2").status, 204);

    ASSERT_TRUE(server_->Stop().ok());
    for (int i = 0; i < kKeys; ++i) {
      ASSERT_EQ(service.Send("PUT", Key(std::to_string(i)), {}, "v" + std::to_string(i)).status, 201);
    }
    ASSERT_EQ(service.Send("PUT", Key("first"), {}, "3").status / 100, 2);
    ASSERT_EQ(service.Send("DELETE", Key("0")).status, 204);
    EXPECT_EQ(service.Send("GET", Key("1")).body, "v1");
    EXPECT_EQ(service.Send("GET", Key("0")).status, 404);
    EXPECT_GE(service.Send("PUT", Key("1"), {{"If-None-Match", "*"}}, "x").status, 500);
    ASSERT_TRUE(Eventually([&] { return Tiered(service).at("queue").at("away") == true; }));
    EXPECT_GE(Tiered(service).at("queue").at("entries"), kKeys);
    Kill(service);  // what is queued is in its volume only
    ASSERT_TRUE(server_->StartAgain().ok());
  }
  Service service = Start(folder_, kBehind);
  ASSERT_TRUE(Eventually([&] { return Tiered(service).at("queue").at("entries") == 0; }));
  EXPECT_EQ(Tiered(service).at("queue").at("conflicts"), 0);
  Service through = Start(other_folder_, kThrough);
  EXPECT_EQ(through.Json("GET", "/v1/stores/main/count?prefix=").at("count"), kKeys);  // one deleted, and `first`
  EXPECT_EQ(through.Send("GET", Key("first")).body, "3");
  EXPECT_EQ(through.Send("GET", Key("29")).body, "v29");
  End(service);
}

TEST_F(WriteBehindPostgres, tiered_memory_postgres_two_instances_do_not_overwrite_each_other_unseen) {
  Service one = Start(folder_, kBack);
  Service other = Start(other_folder_, kThrough);
  ASSERT_EQ(other.Send("PUT", Key("k"), {}, "before").status, 201);
  ASSERT_EQ(one.Send("PUT", Key("k"), {}, "queued").status, 204);
  ASSERT_EQ(one.Send("PUT", Key("alone"), {}, "queued").status, 201);
  EXPECT_EQ(other.Send("GET", Key("alone")).status, 404);  // not yet
  ASSERT_EQ(other.Send("PUT", Key("k"), {}, "later").status, 204);
  EXPECT_EQ(one.Json("GET", "/v1/stores/main/count?prefix=").at("count"), 2);  // which waits for the queue
  EXPECT_EQ(one.Send("GET", Key("k")).body, "later");
  EXPECT_EQ(other.Send("GET", Key("alone")).body, "queued");
  const nlohmann::json conflicts = one.Json("GET", "/v1/stores/main/conflicts").at("items");
  ASSERT_EQ(conflicts.size(), 1u);
  EXPECT_EQ(conflicts[0].at("key"), "k");
  EXPECT_EQ(conflicts[0].at("value"), "queued");
  EXPECT_EQ(Tiered(one).at("queue").at("conflicts"), 1);
  End(one);
}

}  // namespace
}  // namespace holdfast
