// A store on PostgreSQL with a RocksDB secondary, under load, when PostgreSQL dies or hangs: how long nothing is
// answered, and that nothing acknowledged is lost on the way there and back.
#include <fmt/format.h>

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "tests/integration/service/service_fixture.h"
#include "tests/postgres/shared_server.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// From the loss of the primary to the first answer behind it, of the issue.
constexpr std::chrono::seconds kLongestOutage{30};

// Clients that write keys of their own and read them. Every answer is remembered.
class Load {
 public:
  struct Key {
    std::string acknowledged;
    std::set<std::string> unknown;  // since then
  };
  struct Counts {
    int ok = 0;
    int unavailable = 0;
    int unknown = 0;
    int late = 0;  // deadline_exceeded, of reads
    int other = 0;
    int without_retry_after = 0;
  };

  explicit Load(Service& service) : service_(service) {
    for (int writer = 0; writer < 3; ++writer) threads_.emplace_back([this, writer] { Write(writer); });
    threads_.emplace_back([this] { Read(); });
  }
  ~Load() { Stop(); }
  void Stop() {
    stopping_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

  Counts writes() const { return Locked(writes_); }
  Counts reads() const { return Locked(reads_); }
  std::map<std::string, Key> keys() const { return Locked(keys_); }
  // Answered well since.
  bool ReadSince(SteadyClock::time_point when) const { return Locked(last_read_) > when; }
  bool WrittenSince(SteadyClock::time_point when) const { return Locked(last_write_) > when; }

 private:
  template <typename Value>
  Value Locked(const Value& value) const {
    std::lock_guard lock(mutex_);
    return value;
  }
  static std::string CodeOf(const http::ClientResponse& answer) {
    if (answer.status / 100 == 2) return "ok";
    return nlohmann::json::parse(answer.body, nullptr, false).value("code", "none");
  }
  static void Count(const http::ClientResponse& answer, const std::string& code, Counts* counts) {
    int& which = code == "ok"                  ? counts->ok
                 : code == "unavailable"       ? counts->unavailable
                 : code == "outcome_unknown"   ? counts->unknown
                 : code == "deadline_exceeded" ? counts->late
                                               : counts->other;
    ++which;
    if (answer.status == 503 && answer.headers.count("Retry-After") == 0) ++counts->without_retry_after;
  }
  void Write(int writer) {
    for (int i = 0; !stopping_; ++i) {
      const std::string key = fmt::format("{}-{}", writer, i % 40);
      const std::string value = std::to_string(i);
      const auto began = SteadyClock::now();
      const auto answer = service_.Send("PUT", "/v1/stores/main/keys/" + key, {{"Holdfast-Timeout", "10s"}}, value);
      const std::string code = CodeOf(answer);
      std::lock_guard lock(mutex_);
      Count(answer, code, &writes_);
      Key& known = keys_[key];
      if (code == "ok") {
        known = Key{value, {}};
        last_write_ = began;
      } else if (code != "unavailable") {
        known.unknown.insert(value);
      }
    }
  }
  void Read() {
    for (int i = 0; !stopping_; ++i) {
      const auto began = SteadyClock::now();
      const auto answer = service_.Send("GET", fmt::format("/v1/stores/main/keys/0-{}", i % 40));
      const std::string code = answer.status == 404 ? "ok" : CodeOf(answer);  // it may not have been written yet
      std::lock_guard lock(mutex_);
      Count(answer, code, &reads_);
      if (code == "ok") last_read_ = began;
    }
  }

  Service& service_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  Counts writes_;  // guarded by mutex_, as what follows
  Counts reads_;
  std::map<std::string, Key> keys_;
  SteadyClock::time_point last_read_{};
  SteadyClock::time_point last_write_{};
  std::vector<std::thread> threads_;
};

class PostgresFailoverStore : public testing::Test {
 protected:
  PostgresFailoverStore() : server_(postgres_servers::Server::Start().value()), database_(*server_) {
    Process::Options migrate;
    migrate.words = {"migrate", "up"};
    migrate.environment = {{"HOLDFAST_MIGRATION_URL", database_.Url()}};
    EXPECT_EQ(RunHoldfast(migrate).exit_code, 0);
  }

  std::string Primary() const {
    return fmt::format("postgres, url: \"{}\", pool_max: 4, poll_interval: 50ms, connect_timeout: 2s", database_.Url());
  }
  void Start(const std::string& mode, int successes = 4) {
    service_.emplace(
        folder_, Primary() + "}, second: {type: rocksdb",
        fmt::format("stores: {{main: {{backend: local, failover: second, failover_mode: {}, "
                    "failover_sole_instance: true, failover_call_timeout: 1s, failover_successes: {}}}}}\n",
                    mode, successes));
    ASSERT_TRUE(Eventually([this] { return Failover().at("copy").at("complete").get<bool>(); }));
  }
  nlohmann::json Failover() { return service_->Json("GET", "/v1/stores/main").at("composition").at("failover"); }
  testing::AssertionResult AwaitServing(const std::string& serving) {
    if (Eventually([&] { return Failover().at("serving") == serving; })) return testing::AssertionSuccess();
    return testing::AssertionFailure() << Failover() << "\n" << service_->process().Errors();
  }
  bool Shows(const std::string& line) {
    return service_->Admin("/metrics").body.find("\n" + line + "\n") != std::string::npos;
  }
  std::string Get(const std::string& key) {
    const auto answer = service_->Send("GET", "/v1/stores/main/keys/" + key);
    return answer.status == 200 ? answer.body : std::to_string(answer.status);
  }
  // Keys that show neither what was acknowledged last nor a write behind it whose fate was open.
  int Wrong(const Load& load) {
    int wrong = 0;
    for (const auto& [key, known] : load.keys()) {
      const std::string read = Get(key);
      if (read == known.acknowledged || known.unknown.count(read) > 0) continue;
      if (read == "404" && known.acknowledged.empty()) continue;
      ++wrong;
    }
    return wrong;
  }

  void Lose(bool hangs) { hangs ? server_->Freeze() : server_->Kill(); }
  void GiveBack(bool hangs) {
    if (hangs) return server_->Thaw();
    ASSERT_TRUE(server_->StartAgain().ok());
  }
  // Prints how long the outage was, for the reports.
  void ExpectOutage(const char* of, const std::function<bool(SteadyClock::time_point)>& answered,
                    SteadyClock::time_point lost) {
    EXPECT_TRUE(Eventually([&] { return answered(lost + milliseconds{1}); }));
    const auto took = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - lost);
    std::printf("%s answered again %lld ms behind the loss\n", of, static_cast<long long>(took.count()));
    EXPECT_LE(took, kLongestOutage);
  }

  void ReadOnlyUnderLoad(bool hangs);
  void ReadWriteUnderLoad(bool hangs);

  const std::unique_ptr<postgres_servers::Server> server_;
  postgres_servers::FreshDatabase database_;
  const TemporaryFolder folder_;
  std::optional<Service> service_;
};

void Print(const char* of, const Load::Counts& counts) {
  std::printf("%s: %d ok, %d unavailable, %d outcome_unknown, %d deadline_exceeded, %d other\n", of, counts.ok,
              counts.unavailable, counts.unknown, counts.late, counts.other);
  EXPECT_EQ(counts.other, 0);
  EXPECT_EQ(counts.without_retry_after, 0);
}

void PostgresFailoverStore::ReadOnlyUnderLoad(bool hangs) {
  Start("read_only");
  Load load(*service_);
  ASSERT_TRUE(Eventually([&] { return load.writes().ok > 300; }));
  const auto lost = SteadyClock::now();
  Lose(hangs);
  ASSERT_TRUE(AwaitServing("secondary"));
  const auto switched = SteadyClock::now();
  ExpectOutage(
      "reads", [&](auto) { return load.ReadSince(switched); }, lost);
  EXPECT_TRUE(Shows("holdfast_failover_on_secondary{store=\"main\"} 1"));
  ASSERT_TRUE(Eventually([&] { return load.writes().unavailable > 20; }));
  // Alone on PostgreSQL, an instance hears of its writes before it acknowledges them.
  EXPECT_EQ(Wrong(load), 0);
  const auto refused = service_->Send("PUT", "/v1/stores/main/keys/x", {}, "x");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.count("Retry-After"), 1u);
  EXPECT_NE(refused.body.find("read_only"), std::string::npos) << refused.body;
  EXPECT_EQ(service_->Send("POST", "/v1/stores/main/locks/l", {}, R"({"owner":"o","ttl":"1h"})").status, 503);

  GiveBack(hangs);
  ASSERT_TRUE(AwaitServing("primary"));
  const auto back = SteadyClock::now();
  EXPECT_TRUE(Eventually([&] { return load.WrittenSince(back); }));
  load.Stop();
  Print("writes", load.writes());
  Print("reads", load.reads());
  EXPECT_EQ(Wrong(load), 0);
  EXPECT_TRUE(Shows("holdfast_failover_on_secondary{store=\"main\"} 0"));
  EXPECT_EQ(Failover().at("switches"), 1);
}

void PostgresFailoverStore::ReadWriteUnderLoad(bool hangs) {
  Start("read_write");
  Load load(*service_);
  ASSERT_TRUE(Eventually([&] { return load.writes().ok > 300; }));
  const auto lost = SteadyClock::now();
  Lose(hangs);
  ASSERT_TRUE(AwaitServing("secondary"));
  const auto switched = SteadyClock::now();
  ExpectOutage(
      "writes", [&](auto) { return load.WrittenSince(switched); }, lost);
  const int before = load.writes().ok;
  ASSERT_TRUE(Eventually([&] { return load.writes().ok > before + 300; }));
  EXPECT_GT(Failover().at("journal_keys"), 0);

  GiveBack(hangs);
  ASSERT_TRUE(AwaitServing("primary"));
  const auto back = SteadyClock::now();
  EXPECT_TRUE(Eventually([&] { return load.WrittenSince(back); }));
  load.Stop();
  Print("writes", load.writes());
  Print("reads", load.reads());
  const nlohmann::json failover = Failover();
  std::printf("%d replayed, %d conflicts\n", failover.at("replayed").get<int>(), failover.at("conflicts").get<int>());
  EXPECT_EQ(failover.at("journal_keys"), 0);
  EXPECT_GT(failover.at("replayed"), 0);
  // A write of unknown fate that the primary had after all is newer there: what was written behind it is a conflict.
  EXPECT_LE(Wrong(load), failover.at("conflicts").get<int>());
  EXPECT_LE(failover.at("conflicts").get<int>(), load.writes().unknown);
}

TEST_F(PostgresFailoverStore, failover_postgres_rocksdb_fault_killed_reads_are_answered_within_five_seconds) {
  ReadOnlyUnderLoad(/*hangs=*/false);
}
TEST_F(PostgresFailoverStore, failover_postgres_rocksdb_fault_frozen_reads_are_answered_within_five_seconds) {
  ReadOnlyUnderLoad(/*hangs=*/true);
}
TEST_F(PostgresFailoverStore, failover_postgres_rocksdb_fault_killed_writes_are_replayed_without_loss) {
  ReadWriteUnderLoad(/*hangs=*/false);
}
TEST_F(PostgresFailoverStore, failover_postgres_rocksdb_fault_frozen_writes_are_replayed_without_loss) {
  ReadWriteUnderLoad(/*hangs=*/true);
}

// Somebody writes to PostgreSQL who was not to: what it acknowledged stands, and the other write is kept.
TEST_F(PostgresFailoverStore, failover_postgres_rocksdb_replay_leaves_alone_what_another_instance_wrote) {
  const TemporaryFolder other_folder;
  Service other(other_folder, Primary());
  Start("read_write", /*successes=*/20);
  const std::string key = "/v1/stores/main/keys/contested";
  ASSERT_EQ(service_->Send("PUT", key, {}, "first").status, 201);
  ASSERT_TRUE(Eventually([this] { return Failover().at("copy").at("pending_keys") == 0; }));
  Lose(/*hangs=*/false);
  ASSERT_TRUE(AwaitServing("secondary"));
  ASSERT_EQ(Get("contested"), "first");
  ASSERT_EQ(service_->Send("PUT", key, {}, "on the secondary").status, 204);
  ASSERT_EQ(service_->Send("PUT", "/v1/stores/main/keys/alone", {}, "on the secondary").status, 201);
  GiveBack(/*hangs=*/false);
  ASSERT_TRUE(Eventually([&] { return other.Send("PUT", key, {}, "in the primary").status == 204; }));
  ASSERT_EQ(Failover().at("serving"), "secondary");
  ASSERT_TRUE(AwaitServing("primary"));
  EXPECT_EQ(Get("contested"), "in the primary");
  EXPECT_EQ(Get("alone"), "on the secondary");
  EXPECT_EQ(Failover().at("conflicts"), 1);
  const nlohmann::json kept = service_->Json("GET", "/v1/stores/main/conflicts");
  ASSERT_EQ(kept.at("items").size(), 1u) << kept;
  EXPECT_EQ(kept.at("items")[0].at("key"), "contested");
  EXPECT_EQ(kept.at("items")[0].at("value"), "on the secondary");
  EXPECT_EQ(Failover().at("replayed"), 1);
  EXPECT_TRUE(Shows("holdfast_failover_replayed_total{result=\"conflict\",store=\"main\"} 1"));
}

// The journal outlives the process.
TEST_F(PostgresFailoverStore, failover_postgres_rocksdb_fault_service_killed_on_its_secondary_loses_nothing) {
  Start("read_write", /*successes=*/20);
  ASSERT_EQ(service_->Send("PUT", "/v1/stores/main/keys/a", {}, "first").status, 201);
  Lose(/*hangs=*/false);
  ASSERT_TRUE(AwaitServing("secondary"));
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(service_->Send("PUT", fmt::format("/v1/stores/main/keys/{}", i), {}, std::to_string(i)).status, 201);
  }
  ASSERT_EQ(service_->Send("DELETE", "/v1/stores/main/keys/a").status, 204);
  service_->process().Signal(SIGKILL);
  service_->process().Wait();
  GiveBack(/*hangs=*/false);
  Start("read_write");
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Get(std::to_string(i)), std::to_string(i));
  EXPECT_EQ(Get("a"), "404");
  EXPECT_EQ(Failover().at("replayed"), 51);
}

}  // namespace
}  // namespace holdfast
