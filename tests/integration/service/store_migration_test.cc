// A store that moves from RocksDB to PostgreSQL under the running program, which is killed on the way, and one that
// moves from Redis to PostgreSQL under two instances of it.
#include "tests/integration/service/store_migration.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "tests/integration/service/migration_writer.h"
#include "tests/postgres/shared_server.h"
#include "tests/redis/redis_server.h"

namespace holdfast {
namespace {

using Writer = MigrationWriter;
using store_migration::Await;
using store_migration::AwaitCopied;
using store_migration::Do;
using store_migration::Kill;
using store_migration::kMigration;
using store_migration::Phase;

const std::string kKeys = "/v1/stores/main/keys/";
constexpr int kPreloaded = 2'000;

class StoreMigrationTest : public testing::Test {
 protected:
  void SetUp() override { MigrateUp(database_.Url()); }
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

  EXPECT_EQ(std::vector<std::string>(), writer.Lost(*service));
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
    EXPECT_EQ(std::vector<std::string>(), to_first.Lost(*service));
    EXPECT_EQ(std::vector<std::string>(), to_second.Lost(*service));
    ExpectPreloaded(*service);
  }
  EXPECT_GT(to_first.acknowledged(), 20);
  EXPECT_GT(to_second.acknowledged(), 20);
}

TEST_F(StoreMigrationTest, dualwrite_is_led_from_the_command_line) {
  auto service = Start();
  Preload(*service);
  const auto migration = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "migration");
    words.insert(words.end(), {"--store", "main", "--url", service->url()});
    Process::Options options;
    options.words = std::move(words);
    return RunHoldfast(options);
  };
  EXPECT_NE(migration({"status"}).output.find(R"({"phase":"idle")"), std::string::npos);
  const Finished early = migration({"cut-over"});
  EXPECT_EQ(1, early.exit_code);
  EXPECT_NE(early.errors.find("holdfast migration: 409 "), std::string::npos) << early.errors;
  const Finished started = migration({"start", "--wait"});
  EXPECT_EQ(0, started.exit_code) << started.errors;
  EXPECT_EQ("verified", nlohmann::json::parse(started.output).at("phase"));
  EXPECT_EQ(kPreloaded, nlohmann::json::parse(started.output).at("copied"));
  for (const auto& [word, phase] : {std::pair("switch-reads", "reads_switched"), std::pair("switch-back", "verified"),
                                    std::pair("abort", "idle")}) {
    const Finished done = migration({word, "--wait"});
    EXPECT_EQ(0, done.exit_code) << done.errors;
    EXPECT_EQ(phase, nlohmann::json::parse(done.output).at("phase"));
  }
  EXPECT_EQ(2, migration({"undo"}).exit_code);
  EXPECT_EQ(2, migration({"status", "--timeout", "0s"}).exit_code);
  service->process().Signal(SIGTERM);
  EXPECT_EQ(0, service->process().Wait());
  EXPECT_EQ(3, migration({"start", "--wait"}).exit_code);
}

TEST_F(StoreMigrationTest, dualwrite_is_refused_where_it_cannot_be) {
  const TemporaryFolder folder;
  Service service(folder, "memory");
  EXPECT_EQ(501, service.Send("GET", kMigration).status);
  EXPECT_EQ(501, service.Send("POST", kMigration + "?action=start").status);
}

}  // namespace
}  // namespace holdfast
