// Very many keys that move from PostgreSQL to Redis under two instances and their writers, both instances killed twice
// on the way and once more between: the two backends end with the same, and no acknowledged write is lost.
// HOLDFAST_KEYS says how many keys (store_migration_keys --keys).
#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <thread>

#include "tests/integration/service/migration_writer.h"
#include "tests/integration/service/store_migration.h"
#include "tests/postgres/entry_schema.h"
#include "tests/postgres/shared_server.h"
#include "tests/redis/redis_server.h"

namespace holdfast {
namespace {

using store_migration::Await;
using store_migration::AwaitCopied;
using store_migration::Do;
using store_migration::Kill;
using SteadyClock = std::chrono::steady_clock;

// Slower than any machine of ours.
constexpr int kSlowest = 500;  // keys a second

int Keys() {
  const char* const text = std::getenv("HOLDFAST_KEYS");
  return text != nullptr ? std::atoi(text) : 10'000;
}

double SecondsSince(SteadyClock::time_point then) {
  return std::chrono::duration<double>(SteadyClock::now() - then).count();
}

// An instance, and a client of it that writes throughout.
struct Instance {
  TemporaryFolder folder;
  std::optional<Service> service;
  std::atomic<std::uint16_t> port{0};
  MigrationWriter writer;
  std::thread writing;

  explicit Instance(const std::string& name) : writer(name, 500) {}
};

class StoreMigrationKeys : public testing::Test {
 protected:
  StoreMigrationKeys() : database_(postgres_servers::SharedServer()) {
    redis_servers::ServerOptions durable;
    durable.append_only = true;
    redis_ = redis_servers::RedisServer::Start(durable).value();
    EXPECT_TRUE(postgres_servers::MakeEntrySchema(database_).ok());
  }
  void TearDown() override { StopWriting(); }

  std::string Source() const { return fmt::format("postgres, url: \"{}\", pool_max: 4", database_.Url()); }
  std::string Target() const { return fmt::format("redis, url: \"{}\", pool_max: 4", redis_->Url()); }
  std::chrono::seconds Patience() const { return std::chrono::seconds{60 + keys_ / kSlowest}; }

  // Past the service, of the store on one of the two.
  std::string Transfer(const std::string& command, const std::string& backend, std::vector<std::string> more,
                       const std::string& input = "") const {
    Process::Options options;
    options.words = {command, "--config",
                     folder_.Write(command + ".yaml", fmt::format("backends: {{it: {{type: {}}}}}\n"
                                                                  "stores: {{main: {{backend: it}}}}\n",
                                                                  backend))};
    options.words.insert(options.words.end(), more.begin(), more.end());
    options.input = input;
    Process process(options);
    EXPECT_EQ(0, process.Wait(Patience())) << process.Errors();
    return process.Output();
  }
  void Preload() const {
    std::string items;
    for (int i = 0; i < keys_; ++i) items += fmt::format("{{\"key\":\"{}\",\"value\":\"value {}\"}}\n", Key(i), i);
    Transfer("import", Source(), {}, items);
  }
  // Writers' keys stand among them.
  static std::string Key(int i) { return fmt::format("{}{:07}", static_cast<char>('a' + i % 26), i); }

  // Everything of the store but versions and times, an item on each line in the order of the keys.
  std::string Exported(const std::string& backend, const std::string& name) const {
    const std::string file = (folder_.path() / name).string();
    std::filesystem::remove(file);
    Transfer("export", backend, {"--resume", file});
    std::ifstream input(file);
    std::string content;
    for (std::string line; std::getline(input, line);) {
      const std::size_t etag = line.find(",\"etag\":");
      const std::size_t rest = line.find(",\"content_type\":", etag);
      content.append(line, 0, etag).append(line, rest).push_back('\n');
    }
    return content;
  }
  // How many of the keys of Preload stand in it as they were put.
  int PreloadedIn(const std::string& content) const {
    int found = 0;
    std::array<std::size_t, 26> from_of{};
    for (int i = 0; i < keys_; ++i) {
      // Behind the one before of its letter.
      std::size_t& from = from_of[static_cast<std::size_t>(i % 26)];
      const std::size_t at = content.find(fmt::format("{{\"key\":\"{}\"", Key(i)), from);
      if (at == std::string::npos) continue;
      from = at;
      const std::string_view line = std::string_view(content).substr(at, content.find('\n', at) - at);
      if (line.ends_with(fmt::format("\"value\":\"value {}\"}}", i))) ++found;
    }
    return found;
  }

  void Start(Instance& instance) const {
    instance.service.emplace(
        instance.folder, fmt::format("{}}}, there: {{type: {}", Source(), Target()),
        "stores: {main: {backend: local, migrate_to: there, migrate_batch: 500, migrate_lease: 2s}}\n"
        "default_store: main\n");
    instance.port = instance.service->port();
  }
  void KillAndRestartBoth() {
    for (Instance* instance : {&first_, &second_}) {
      Kill(*instance->service);
      Start(*instance);
    }
  }
  void StartWriting() {
    stop_ = false;
    for (Instance* instance : {&first_, &second_}) {
      instance->writing = std::thread([this, instance] { instance->writer.Run(instance->port, stop_); });
    }
  }
  void StopWriting() {
    stop_ = true;
    for (Instance* instance : {&first_, &second_}) {
      if (instance->writing.joinable()) instance->writing.join();
    }
  }
  std::size_t Lost() {
    std::size_t lost = 0;
    for (const Instance* of : {&first_, &second_}) {
      for (Instance* at : {&first_, &second_}) {
        for (const std::string& complaint : of->writer.Lost(*at->service)) {
          if (++lost < 10) fmt::print("lost: {}\n", complaint);
        }
      }
    }
    return lost;
  }

  void WriteSomeMore() {
    constexpr int kMore = 50;
    StartWriting();
    const int before = first_.writer.acknowledged();
    const Deadline patience = Deadline::After(std::chrono::seconds{60});
    while (first_.writer.acknowledged() < before + kMore && !patience.Expired()) {
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    StopWriting();
    EXPECT_GE(first_.writer.acknowledged(), before + kMore);
  }
  // The control: a value that nobody wrote, and a key that is gone, are found.
  void ExpectToNotice(const std::string& target) {
    first_.service->Send("PUT", "/v1/stores/main/keys/" + first_.writer.any_key(), {}, "of nobody");
    EXPECT_EQ(2u, Lost());  // seen through either instance
    first_.service->Send("DELETE", "/v1/stores/main/keys/" + Key(keys_ / 2));
    const std::string now = Exported(Target(), "target.ndjson");
    EXPECT_EQ(keys_ - 1, PreloadedIn(now));
    EXPECT_FALSE(now == target);
  }

  const int keys_ = Keys();
  const TemporaryFolder folder_;
  const postgres_servers::FreshDatabase database_;
  std::unique_ptr<redis_servers::RedisServer> redis_;
  Instance first_{"k1"};
  Instance second_{"p2"};
  std::atomic<bool> stop_{false};
};

TEST_F(StoreMigrationKeys, dualwrite_of_many_keys_loses_nothing_when_both_instances_are_killed) {
  const auto began = SteadyClock::now();
  Preload();
  fmt::print("{} keys put in {:.1f} s\n", keys_, SecondsSince(began));
  Start(first_);
  Start(second_);
  StartWriting();
  const auto started = SteadyClock::now();
  Do(*first_.service, "start");
  AwaitCopied(*second_.service, keys_ / 4, Patience());
  KillAndRestartBoth();
  AwaitCopied(*first_.service, keys_ * 3 / 5, Patience());
  KillAndRestartBoth();
  AwaitCopied(*first_.service, keys_, Patience());
  const double copied = SecondsSince(started);
  Await(*second_.service, "verified", Patience());
  const double verified = SecondsSince(started);
  fmt::print("copied in {:.1f} s, {:.0f} keys a second; compared behind {:.1f} s; {} differences were copied again\n",
             copied, keys_ / copied, verified,
             second_.service->Json("GET", store_migration::kMigration).at("differences").dump());
  Do(*second_.service, "switch_reads");
  KillAndRestartBoth();
  Await(*first_.service, "reads_switched");
  StopWriting();

  EXPECT_EQ(0u, Lost());
  // A write of unknown fate may be in one of the two until the source is given up.
  Do(*first_.service, "cut_over");
  Await(*second_.service, "cut_over");
  const std::string target = Exported(Target(), "target.ndjson");
  EXPECT_EQ(keys_, PreloadedIn(target));
  EXPECT_TRUE(Exported(Source(), "source.ndjson") == target);
  WriteSomeMore();
  KillAndRestartBoth();
  const std::size_t lost = Lost();
  EXPECT_EQ(0u, lost);
  fmt::print("{} writes acknowledged, {} of unknown fate, {} refused, {} lost\n",
             first_.writer.acknowledged() + second_.writer.acknowledged(),
             first_.writer.unknown() + second_.writer.unknown(), first_.writer.refused() + second_.writer.refused(),
             lost);
  ExpectToNotice(target);
}

}  // namespace
}  // namespace holdfast
