// A store that moves from RocksDB to PostgreSQL under the running program, which is killed on the way, and one that
// moves from Redis to PostgreSQL under two instances of it.
#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <set>
#include <thread>

#include "tests/integration/service/service_fixture.h"
#include "tests/postgres/shared_server.h"
#include "tests/redis/redis_server.h"

namespace holdfast {
namespace {

const std::string kMigration = "/v1/stores/main/migration";
const std::string kKeys = "/v1/stores/main/keys/";
constexpr int kPreloaded = 2'000;

// Writes keys of its own while the service comes and goes, and knows what each may hold: what was acknowledged last, or
// one of those of unknown fate since.
class Writer {
 public:
  explicit Writer(std::string name = "own") : name_(std::move(name)) {}

  void Run(const std::atomic<std::uint16_t>& port, const std::atomic<bool>& stop) {
    std::unique_ptr<http::HttpClient> client;
    std::uint16_t connected = 0;
    for (int i = 0; !stop; ++i) {
      if (connected != port) {
        connected = port;
        http::ClientOptions options;
        options.base_url = fmt::format("http://127.0.0.1:{}", connected);
        client = std::make_unique<http::HttpClient>(options);
      }
      const std::string key = fmt::format("{}-{}", name_, i * 7 % 50);
      const bool erase = i % 5 == 4;
      const std::string value = erase ? "" : fmt::format("v{}", i);
      http::ClientRequest request;
      request.method = erase ? "DELETE" : "PUT";
      request.target = kKeys + key;
      request.body = value;
      const auto answer = client->Send(request, Deadline::After(std::chrono::seconds{10}));
      std::set<std::string>& may = may_hold_[key];
      if (answer.ok() && answer->status < 300) {
        may = {value};
        ++acknowledged_;
      } else {
        if (may.empty()) may.insert("");
        may.insert(value);
      }
    }
  }
  void Check(Service& service) const {
    for (const auto& [key, may] : may_hold_) {
      const auto read = service.Send("GET", kKeys + key);
      const std::string value = read.status == 404 ? "" : read.body;
      EXPECT_TRUE(may.contains(value)) << key << " holds '" << value << "', may hold " << *may.begin();
    }
  }
  int acknowledged() const { return acknowledged_; }

 private:
  const std::string name_;
  std::map<std::string, std::set<std::string>> may_hold_;
  int acknowledged_ = 0;
};

class StoreMigrationTest : public testing::Test {
 protected:
  void SetUp() override {
    Process::Options options;
    options.words = {"migrate", "up"};
    options.environment = {{"HOLDFAST_MIGRATION_URL", database_.Url()}};
    ASSERT_EQ(RunHoldfast(options).exit_code, 0);
  }
  std::unique_ptr<Service> Start() { return StartFrom("rocksdb", folder_); }
  std::unique_ptr<Service> StartFrom(const std::string& source, const TemporaryFolder& folder) const {
    return std::make_unique<Service>(
        folder, fmt::format("{}}}, there: {{type: postgres, url: \"{}\", pool_max: 4", source, database_.Url()),
        "stores: {main: {backend: local, migrate_to: there, migrate_batch: 50, migrate_rate: 2000, "
        "migrate_lease: 2s}}\n"
        "default_store: main\n");
  }
  static void Preload(Service& service) {
    for (int i = 0; i < kPreloaded; i += 500) {
      nlohmann::json operations = nlohmann::json::array();
      for (int k = i; k < i + 500; ++k) {
        operations.push_back({{"op", "put"}, {"key", fmt::format("old-{}", k)}, {"value", std::to_string(k)}});
      }
      (void)service.Json("POST", "/v1/stores/main/batch", nlohmann::json{{"operations", operations}}.dump());
    }
  }
  static void ExpectPreloaded(Service& service) {
    for (int i = 0; i < kPreloaded; ++i) {
      ASSERT_EQ(std::to_string(i), service.Send("GET", kKeys + fmt::format("old-{}", i)).body);
    }
  }
  static void AwaitCopied(Service& service, int keys) {
    const Deadline patience = Deadline::After(std::chrono::seconds{30});
    while (service.Json("GET", kMigration).at("copied") < keys && !patience.Expired()) {
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
  }
  static void Kill(Service& service) {
    service.process().Signal(SIGKILL);
    EXPECT_EQ(128 + SIGKILL, service.process().Wait());
  }
  static std::string Phase(Service& service) { return service.Json("GET", kMigration).at("phase"); }
  static void Await(Service& service, const std::string& phase) {
    const Deadline patience = Deadline::After(std::chrono::seconds{60});
    while (Phase(service) != phase && !patience.Expired()) std::this_thread::sleep_for(std::chrono::milliseconds{20});
    EXPECT_EQ(phase, Phase(service));
  }
  static void Do(Service& service, const std::string& action) {
    const auto answer = service.Send("POST", kMigration + "?action=" + action);
    EXPECT_EQ(200, answer.status) << action << ": " << answer.body;
  }

  const postgres_servers::FreshDatabase database_;
  const TemporaryFolder folder_;
};

TEST_F(StoreMigrationTest, dualwrite_rocksdb_to_postgres_survives_kills_without_losing_or_reviving_a_write) {
  auto service = Start();
  Preload(*service);
  EXPECT_EQ(201, service->Send("PUT", kKeys + "expires", {{"Holdfast-TTL", "1h"}}, "v").status);
  EXPECT_EQ("idle", Phase(*service));
  EXPECT_EQ(409, service->Send("POST", kMigration + "?action=cut_over").status);
  EXPECT_EQ(400, service->Send("POST", kMigration + "?action=undo").status);

  std::atomic<std::uint16_t> port{service->port()};
  std::atomic<bool> stop{false};
  Writer writer;
  std::thread writing([&] { writer.Run(port, stop); });
  const auto kill_and_restart = [&] {
    Kill(*service);
    service = Start();
    port = service->port();
  };
  Do(*service, "start");
  AwaitCopied(*service, 500);
  kill_and_restart();
  EXPECT_GE(service->Json("GET", kMigration).at("copied"), 500);  // it goes on and does not begin again
  Await(*service, "verified");
  kill_and_restart();
  Do(*service, "switch_reads");
  kill_and_restart();
  EXPECT_EQ("reads_switched", Phase(*service));
  Do(*service, "cut_over");
  kill_and_restart();
  EXPECT_EQ("cut_over", Phase(*service));
  stop = true;
  writing.join();

  writer.Check(*service);
  EXPECT_GT(writer.acknowledged(), 20);
  ExpectPreloaded(*service);
  const auto expires = service->Send("GET", kKeys + "expires");
  EXPECT_EQ(200, expires.status);
  EXPECT_NE(service->Admin("/metrics").body.find("holdfast_migration_phase{store=\"main\"} 5"), std::string::npos);
}

TEST_F(StoreMigrationTest, dualwrite_redis_to_postgres_under_two_instances_that_are_both_killed) {
  redis_servers::ServerOptions durable;
  durable.append_only = true;
  const auto redis = redis_servers::RedisServer::Start(durable).value();
  const TemporaryFolder other_folder;
  const std::string source = fmt::format("redis, url: \"{}\"", redis->Url());
  auto first = StartFrom(source, folder_);
  auto second = StartFrom(source, other_folder);
  Preload(*first);

  std::atomic<std::uint16_t> first_port{first->port()};
  std::atomic<std::uint16_t> second_port{second->port()};
  std::atomic<bool> stop{false};
  Writer to_first("a");
  Writer to_second("b");
  std::thread writing_first([&] { to_first.Run(first_port, stop); });
  std::thread writing_second([&] { to_second.Run(second_port, stop); });
  const auto restart_first = [&] {
    Kill(*first);
    first = StartFrom(source, folder_);
    first_port = first->port();
  };
  const auto restart_second = [&] {
    Kill(*second);
    second = StartFrom(source, other_folder);
    second_port = second->port();
  };
  Do(*first, "start");
  AwaitCopied(*second, 500);
  restart_first();
  restart_second();
  Await(*first, "verified");
  restart_second();
  Do(*second, "switch_reads");
  restart_first();
  Do(*first, "cut_over");
  Await(*second, "cut_over");
  restart_second();
  EXPECT_EQ("cut_over", Phase(*second));
  stop = true;
  writing_first.join();
  writing_second.join();

  for (Service* service : {first.get(), second.get()}) {
    to_first.Check(*service);
    to_second.Check(*service);
    ExpectPreloaded(*service);
  }
  EXPECT_GT(to_first.acknowledged(), 20);
  EXPECT_GT(to_second.acknowledged(), 20);
}

TEST_F(StoreMigrationTest, dualwrite_is_refused_where_it_cannot_be) {
  const TemporaryFolder folder;
  Service service(folder, "memory");
  EXPECT_EQ(501, service.Send("GET", kMigration).status);
  EXPECT_EQ(501, service.Send("POST", kMigration + "?action=start").status);
}

}  // namespace
}  // namespace holdfast
