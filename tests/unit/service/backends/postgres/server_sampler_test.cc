// What the server's own views tell, to whom.
#include <signal.h>

#include <algorithm>

#include "tests/unit/service/backends/postgres/cluster_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A server of its own: sessions, locks and roles of other cases would count.
class ServerSampler : public PostgresClusterTest {
 protected:
  ServerSampler() { options_.statistics_interval = milliseconds{20}; }

  // Whether the server has told so in time.
  bool Tells(const Backend& backend, const std::function<bool(const ServerStatistics&)>& what) {
    return Eventually([&] {
      const std::optional<ServerStatistics> told = backend.statistics().server;
      return told && what(*told);
    });
  }
  static const ServerStatistics::Table* TableOf(const ServerStatistics& told, const std::string& name) {
    const auto table = std::find_if(told.tables.begin(), told.tables.end(),
                                    [&](const ServerStatistics::Table& candidate) { return candidate.name == name; });
    return table == told.tables.end() ? nullptr : &*table;
  }
  postgres_servers::Session Connect() { return primary().Connect(database_.name()).value(); }
};

TEST_F(ServerSampler, TellsOfConnectionsSizesRowsAndLocks) {
  const std::unique_ptr<Backend> backend = Open();
  auto holder = Connect();
  ASSERT_TRUE(holder.Execute("ALTER TABLE holdfast.entries SET (autovacuum_enabled = off)").ok());
  for (int i = 0; i < 20; ++i) ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "1")).status));
  // Updates in one page prune each other; what is deleted stays.
  ASSERT_TRUE(holder
                  .Execute("INSERT INTO holdfast.entries (key, version, created_at, updated_at, value) "
                           "SELECT n::text::bytea, 1, 1, 1, 'x' FROM generate_series(1, 500) n; "
                           "DELETE FROM holdfast.entries WHERE version = 1")
                  .ok());
  ASSERT_TRUE(holder.Execute("SELECT pg_stat_force_next_flush()").ok());
  EXPECT_TRUE(Tells(*backend, [](const ServerStatistics& told) {
    const auto* entries = TableOf(told, "entries");
    return entries != nullptr && entries->dead_rows >= 400 && entries->live_rows >= 1 && entries->bytes > 8'192 &&
           told.database_bytes.value_or(0) > entries->bytes;
  }));
  EXPECT_TRUE(Tells(*backend, [](const ServerStatistics& told) {
    return told.connections.size() == 4 && told.connections.at("idle") > 0 && told.connections.at("active") > 0 &&
           told.connections.at("idle_in_transaction") == 0 && told.waiting_locks == 0 &&
           told.replication_lag_bytes.empty();
  }));

  ASSERT_TRUE(holder.Execute("BEGIN; SELECT pg_advisory_xact_lock(77)").ok());
  auto waiter = Connect();
  ASSERT_TRUE(waiter.Send("SELECT pg_advisory_lock(77)").ok());
  EXPECT_TRUE(Tells(*backend, [](const ServerStatistics& told) {
    return told.waiting_locks == 1 && told.connections.at("idle_in_transaction") == 1;
  }));
  ASSERT_TRUE(holder.Execute("COMMIT").ok());
  ASSERT_TRUE(holder.Execute("VACUUM holdfast.entries").ok());
  ASSERT_TRUE(waiter.Finish().ok());
  EXPECT_TRUE(Tells(*backend, [](const ServerStatistics& told) {
    const auto* entries = TableOf(told, "entries");
    return told.waiting_locks == 0 && entries != nullptr && entries->dead_rows == 0;
  }));
}

TEST_F(ServerSampler, TellsWhatCompressionSavesOnASampleOfTheTable) {
  const std::unique_ptr<Backend> backend = Open();
  const auto sampled = [&](const std::function<bool(const Statistics&)>& what) {
    return Eventually([&] { return what(backend->statistics()); });
  };
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("small", "1")).status));
  EXPECT_TRUE(Tells(*backend, [](const ServerStatistics& told) { return told.database_bytes > 0; }));
  EXPECT_EQ(0u, backend->statistics().compressed_bytes) << "nothing is compressed";
  for (int i = 0; i < 10; ++i) {
    const std::string key = "k" + std::to_string(i);
    ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put(key, std::string(100'000, 'v'))).status));
  }
  // Of a small table all pages are read.
  EXPECT_TRUE(sampled([](const Statistics& statistics) {
    return statistics.uncompressed_bytes == 1'000'000 && statistics.compressed_bytes > 0 &&
           statistics.compressed_bytes < 50'000;
  }));
  // Many more pages than are read, of rows that are not compressed.
  auto session = Connect();
  ASSERT_TRUE(session
                  .Execute("INSERT INTO holdfast.entries (key, version, created_at, updated_at, value) SELECT "
                           "n::text::bytea, 1, 1, 1, decode(repeat(md5(n::text), 60), 'hex') FROM "
                           "generate_series(1, 10000) n")
                  .ok());
  EXPECT_TRUE(sampled([](const Statistics& statistics) { return statistics.uncompressed_bytes < 1'000'000; }))
      << "of a large one some";
}

TEST_F(ServerSampler, TellsHowFarEachReplicaIsBehindWhileItIsThere) {
  const std::unique_ptr<Backend> backend = Open();
  auto second = StartReplica("replica_1");
  EXPECT_TRUE(Tells(*backend, [](const ServerStatistics& told) {
    return told.replication_lag_bytes.count("replica_1") == 1 && told.replication_lag_bytes.at("replica_1") < 100'000;
  }));
  ASSERT_TRUE(primary().CutReplication().ok());
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", std::string(500'000, 'x'))).status));
  ASSERT_TRUE(Connect().Execute("SELECT pg_switch_wal()").ok());
  EXPECT_TRUE(Tells(*backend, [](const ServerStatistics& told) {
    return told.replication_lag_bytes.count("replica_1") == 1 && told.replication_lag_bytes.at("replica_1") > 100'000;
  }));
  // One that is gone is not 0 bytes behind.
  ASSERT_TRUE(Connect().Execute("SELECT pg_terminate_backend(pid) FROM pg_stat_replication").ok());
  second->Kill();
  auto session = Connect();
  const std::string sender = session.Value("SELECT pid FROM pg_stat_replication").value();
  if (!sender.empty()) {
    ASSERT_EQ(0, ::kill(std::stoi(sender), SIGCONT));
  }
  EXPECT_TRUE(Tells(*backend, [](const ServerStatistics& told) {
    return told.database_bytes && told.replication_lag_bytes.empty();
  }));
}

// What a role may not see is left out, and appears with the right to see it.
TEST_F(ServerSampler, AnOrdinaryRoleIsToldLessAndNothingWrong) {
  auto session = Connect();
  const auto second = StartReplica("replica_1");
  ASSERT_TRUE(session
                  .Execute("CREATE ROLE app LOGIN PASSWORD 'a'; GRANT USAGE ON SCHEMA holdfast TO app; "
                           "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA holdfast TO app; "
                           "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA holdfast TO app")
                  .ok());
  options_.url = database_.Url({"app", "a"});
  const std::unique_ptr<Backend> backend = Open();
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "1")).status));
  ASSERT_TRUE(Tells(*backend, [](const ServerStatistics& told) {
    return told.database_bytes && told.waiting_locks && TableOf(told, "entries") != nullptr;
  }));
  EXPECT_TRUE(backend->statistics().server->connections.empty());
  EXPECT_TRUE(backend->statistics().server->replication_lag_bytes.empty());
  ASSERT_TRUE(session.Execute("GRANT pg_monitor TO app").ok());
  EXPECT_TRUE(Tells(*backend, [](const ServerStatistics& told) {
    return told.connections.count("idle") == 1 && told.replication_lag_bytes.count("replica_1") == 1;
  }));
}

// One view that cannot be read in time costs its own part, and nobody but the sampler waits for it.
TEST_F(ServerSampler, AViewThatHangsIsLeftOut) {
  options_.statistics_timeout = milliseconds{300};
  const std::unique_ptr<Backend> backend = Open();
  ASSERT_TRUE(Tells(*backend, [](const ServerStatistics& told) { return TableOf(told, "entries") != nullptr; }));
  auto session = Connect();
  // The size of a table is asked for under a lock on it.
  ASSERT_TRUE(session.Execute("CREATE TABLE holdfast.aside (a int)").ok());
  ASSERT_TRUE(session.Execute("BEGIN; LOCK TABLE holdfast.aside").ok());
  EXPECT_TRUE(Tells(*backend, [](const ServerStatistics& told) { return told.tables.empty() && told.database_bytes; }));
  EXPECT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "2")).status));
  ASSERT_TRUE(session.Execute("COMMIT").ok());
  EXPECT_TRUE(Tells(*backend, [](const ServerStatistics& told) { return TableOf(told, "entries") != nullptr; }));
}

TEST_F(ServerSampler, AServerThatIsGoneTellsNothing) {
  const std::unique_ptr<Backend> backend = Open();
  ASSERT_TRUE(Tells(*backend, [](const ServerStatistics& told) { return told.database_bytes.has_value(); }));
  auto session = Connect();
  EXPECT_EQ(
      "1",
      session.Value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast-statistics'").value());
  primary().Kill();
  EXPECT_TRUE(Tells(*backend, [](const ServerStatistics& told) {
    return !told.database_bytes && !told.waiting_locks && told.tables.empty() && told.connections.empty();
  }));
  ASSERT_TRUE(primary().StartAgain().ok());
  EXPECT_TRUE(Tells(*backend, [](const ServerStatistics& told) { return told.database_bytes.has_value(); }));
}

TEST_F(ServerSampler, CanBeSwitchedOff) {
  options_.statistics_interval = milliseconds{0};
  const std::unique_ptr<Backend> backend = Open();
  EXPECT_FALSE(backend->statistics().server.has_value());
}

}  // namespace
}  // namespace holdfast::storage
