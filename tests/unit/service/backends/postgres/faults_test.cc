// Servers that stop, hang, refuse or fill up: what callers are told, and that the backend comes back by itself.
#include <atomic>
#include <future>
#include <thread>

#include "tests/unit/service/backends/postgres/fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage {
namespace {

using postgres_servers::Server;
using std::chrono::milliseconds;
using std::chrono::seconds;

// On a server of its own, which the case may treat as it likes.
struct OwnServer {
  std::unique_ptr<Server> own = Server::Start().value();
};
class Faults : private OwnServer, public PostgresTest {
 protected:
  Faults() : PostgresTest(*own) { options_.acquire_timeout = seconds{2}; }
  Server& server() { return *own; }
};

TEST_F(Faults, AServerThatRestartsIsFoundAgain) {
  const std::unique_ptr<Backend> backend = Open();
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "1")).status));
  ASSERT_TRUE(server().Restart().ok());
  // A connection that the server has closed is seen before it is used.
  EXPECT_EQ("ok", CodeOf(Run(*backend, Operation::Get("k")).status));
  EXPECT_TRUE(Eventually([&] { return Run(*backend, Operation::Put("k", "2")).status.ok(); }));
}

TEST_F(Faults, AServerThatIsDownIsUnavailableAndNamed) {
  const std::unique_ptr<Backend> backend = Open();
  server().Kill();
  EXPECT_TRUE(Eventually([&] { return CodeOf(Run(*backend, Operation::Get("k")).status) == "unavailable"; }));
  const OperationResult put = Run(*backend, Operation::Put("k", "1"));
  EXPECT_EQ("unavailable", CodeOf(put.status));
  EXPECT_NE(std::string::npos, put.status.error().message().find("cannot connect"));
  EXPECT_EQ(std::string::npos, put.status.error().message().find(postgres_servers::kPassword));
  EXPECT_NE("ok", CodeOf(backend->CheckHealth(Deadline::After(seconds{1}))));
  EXPECT_TRUE(Eventually([&] { return server().StartAgain().ok(); }));
  EXPECT_TRUE(Eventually([&] { return Run(*backend, Operation::Put("k", "1")).status.ok(); }));
  EXPECT_TRUE(Eventually([&] { return backend->CheckHealth(Deadline::After(seconds{5})).ok(); }));
}

TEST_F(Faults, AServerThatHangsKeepsNobodyBeyondTheDeadline) {
  options_.min_connections = 4;  // the sweeper has one of them
  const std::unique_ptr<Backend> backend = Open();
  ASSERT_TRUE(Eventually([&] { return backend->statistics().pool->opened >= 4; }));
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "1")).status));
  server().Freeze();
  // Sent to a server that does not answer: nobody knows whether it was done.
  EXPECT_EQ("outcome_unknown", CodeOf(Run(*backend, Operation::Put("k", "2"), milliseconds{2'000}).status));
  EXPECT_EQ("deadline_exceeded", CodeOf(Run(*backend, Operation::Get("k"), milliseconds{300}).status));
  server().Thaw();
  EXPECT_TRUE(Eventually([&] { return Run(*backend, Operation::Put("k", "3")).status.ok(); }));
  EXPECT_EQ("3", Run(*backend, Operation::Get("k")).entry->value);
}

TEST_F(Faults, WhatWasAcknowledgedUnderKillsIsThere) {
  const std::unique_ptr<Backend> backend = Open();
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> acknowledged{0};
  std::atomic<std::int64_t> unknown{0};
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      while (!stop) {
        const std::string code = CodeOf(Run(*backend, Operation::Increment("n", 1), seconds{5}).status);
        if (code == "ok") ++acknowledged;
        if (code == "outcome_unknown") ++unknown;
      }
    });
  }
  for (int i = 0; i < 3; ++i) {
    const std::int64_t before = acknowledged;
    EXPECT_TRUE(Eventually([&] { return acknowledged > before + 20; }));
    server().Kill();
    // A client's attempt to connect may itself have been given the port for a moment.
    EXPECT_TRUE(Eventually([&] { return server().StartAgain().ok(); }));
  }
  const std::int64_t before = acknowledged;
  EXPECT_TRUE(Eventually([&] { return acknowledged > before + 20; }));
  stop = true;
  for (std::thread& writer : writers) writer.join();
  const std::int64_t counted = std::stoll(Run(*backend, Operation::Get("n")).entry->value);
  EXPECT_GE(counted, acknowledged);
  EXPECT_LE(counted, acknowledged + unknown);
}

// One synchronous standby: what was acknowledged is there, whoever is the primary.
TEST_F(Faults, APromotedReplicaIsFoundAndHasWhatWasAcknowledged) {
  const auto replica = Server::StartReplica(server(), {"replica_1", {}}).value();
  ASSERT_TRUE(server().SetSynchronous({"replica_1"}).ok());
  const std::string first = database_.Url();
  const std::string port = ":" + std::to_string(server().port()) + "/";
  const std::size_t at = first.find(port);
  ASSERT_NE(std::string::npos, at);
  options_.url = first.substr(0, at) + port.substr(0, port.size() - 1);
  options_.url.append(",127.0.0.1:").append(std::to_string(replica->port())).append(first.substr(at + port.size() - 1));
  const std::unique_ptr<Backend> backend = Open();
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> acknowledged{0};
  std::atomic<std::int64_t> unknown{0};
  Version last = 0;
  std::thread writer([&] {
    while (!stop) {
      const OperationResult result = Run(*backend, Operation::Increment("n", 1), seconds{5});
      if (result.status.ok()) {
        ++acknowledged;
        EXPECT_GT(result.version, last);
        last = result.version;
      }
      if (CodeOf(result.status) == "outcome_unknown") ++unknown;
    }
  });
  EXPECT_TRUE(Eventually([&] { return acknowledged > 20; }));
  server().Kill();
  EXPECT_TRUE(replica->Promote().ok());
  EXPECT_TRUE(replica->SetSynchronous({}).ok());
  const std::int64_t before = acknowledged;
  EXPECT_TRUE(Eventually([&] { return acknowledged > before + 20; }));
  stop = true;
  writer.join();
  const std::int64_t counted = std::stoll(Run(*backend, Operation::Get("n")).entry->value);
  EXPECT_GE(counted, acknowledged);
  EXPECT_LE(counted, acknowledged + unknown);
}

TEST_F(Faults, AnExhaustedPoolRefusesInOrderAndLosesNoConnection) {
  options_.max_connections = 2;
  options_.acquire_timeout = milliseconds{200};
  options_.lock_timeout = std::chrono::minutes{2};
  const std::unique_ptr<Backend> backend = Open();
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "0")).status));
  auto session = database_.Connect().value();
  // Every write is stuck behind this, inside the server.
  ASSERT_TRUE(session.Execute("BEGIN; LOCK TABLE holdfast.change_state").ok());
  std::vector<std::thread> clients;
  std::atomic<int> refused{0};
  std::atomic<int> written{0};
  for (int i = 0; i < 64; ++i) {
    clients.emplace_back([&, i] {
      // No two of these share a stripe (writer.cc): such a one would wait for its like, and not for a connection.
      const std::string key = "client-" + std::to_string(i);
      const std::string code = CodeOf(Run(*backend, Operation::Put(key, "1"), std::chrono::minutes{2}).status);
      if (code == "unavailable") ++refused;
      if (code == "ok") ++written;
    });
  }
  // All but those that have a connection; the second one may have come too late for everybody.
  EXPECT_TRUE(Eventually([&] { return refused >= 62; }));
  ASSERT_TRUE(session.Execute("COMMIT").ok());
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(64, refused + written);
  EXPECT_TRUE(Eventually([&] { return backend->statistics().pool->in_use == 0; }));
  EXPECT_TRUE(Eventually([&] { return Run(*backend, Operation::Put("k", "2")).status.ok(); }));
  EXPECT_LE(backend->statistics().pool->idle, 2u);
}

TEST_F(Faults, WritesStuckBehindALockAreRefusedByTheServerAndUndone) {
  options_.lock_timeout = milliseconds{100};
  const std::unique_ptr<Backend> backend = Open();
  auto session = database_.Connect().value();
  ASSERT_TRUE(session.Execute("BEGIN; LOCK TABLE holdfast.change_state").ok());
  const OperationResult put = Run(*backend, Operation::Put("k", "1"));
  EXPECT_EQ("unavailable", CodeOf(put.status));
  EXPECT_NE(std::string::npos, put.status.error().message().find("lock_timeout"));
  ASSERT_TRUE(session.Execute("COMMIT").ok());
  EXPECT_EQ("not_found", CodeOf(Run(*backend, Operation::Get("k")).status));
}

TEST_F(Faults, AnUnknownSchemaIsNotServedAndTheReasonTold) {
  options_.schema = "nowhere";
  const auto backend = OpenPostgresBackend(options_).value();
  const Status healthy = backend->CheckHealth(Deadline::After(seconds{60}));
  EXPECT_EQ("failed_precondition", CodeOf(healthy));
  EXPECT_NE(std::string::npos, healthy.error().message().find("holdfast migrate"));
}

TEST_F(Faults, ASchemaMayHaveAnyName) {
  options_.schema = "it's odd; DROP";
  ASSERT_TRUE(postgres_servers::MakeEntrySchema(database_, options_.schema).ok());
  const std::unique_ptr<Backend> first = Open();
  const std::unique_ptr<Backend> second = Open();
  EXPECT_EQ("ok", CodeOf(Run(*first, Operation::Put("k", "v", {}, Expiry::After(milliseconds{1}))).status));
  EXPECT_TRUE(
      Eventually([&] { return first->statistics().expired_removed + second->statistics().expired_removed > 0; }));
  EXPECT_EQ(0u, first->statistics().entries);
}

TEST_F(Faults, ARoleThatAsksForAnotherIsolationLevelIsNoHarm) {
  auto session = database_.Connect().value();
  ASSERT_TRUE(session.Execute("ALTER ROLE CURRENT_USER SET default_transaction_isolation = 'serializable'").ok());
  EXPECT_EQ("ok", CodeOf(Run(*Open(), Operation::Increment("k", 1)).status));
  // Behind a pooler the role decides.
  options_.pooled = true;
  const OperationResult refused = Run(*Open(), Operation::Increment("k", 1));
  EXPECT_EQ("failed_precondition", CodeOf(refused.status));
  EXPECT_NE(std::string::npos, refused.status.error().message().find("default_transaction_isolation"));
}

// The probe and the change log write the same row, and a serialisable server refuses the one that comes later.
TEST_F(Faults, AHealthCheckThatMeetsAnotherWriterIsTriedAgain) {
  auto session = database_.Connect().value();
  ASSERT_TRUE(session.Execute("ALTER ROLE CURRENT_USER SET default_transaction_isolation = 'serializable'").ok());
  options_.pooled = true;
  const std::unique_ptr<Backend> backend = Open();
  ASSERT_TRUE(session.Execute("BEGIN ISOLATION LEVEL READ COMMITTED").ok());
  ASSERT_TRUE(session.Execute("UPDATE holdfast.instances SET seen_at = clock_timestamp()").ok());
  auto checked = std::async(std::launch::async, [&] { return backend->CheckHealth(Deadline::After(seconds{20})); });
  auto watcher = database_.Connect().value();
  EXPECT_TRUE(Eventually([&] {
    return watcher
               .Value(
                   "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                   "datname = current_database() AND query LIKE '%seen_at%'")
               .value() != "0";
  }));
  ASSERT_TRUE(session.Execute("COMMIT").ok());
  const Status healthy = checked.get();
  EXPECT_TRUE(healthy.ok()) << healthy.error().ToString();
}

TEST_F(Faults, StatementsAreLoggedWithoutWhatTheyCarry) {
  ASSERT_TRUE(server().SetParameter("log_statement", "all").ok());
  ASSERT_TRUE(server().SetParameter("log_parameter_max_length", "0").ok());
  const std::unique_ptr<Backend> backend = Open();
  const std::string evil = "x'); DROP TABLE entries; --";
  EXPECT_EQ("ok", CodeOf(Run(*backend, Operation::Put(evil, evil)).status));
  EXPECT_EQ(evil, Run(*backend, Operation::Get(evil)).entry->value);
  ScanRequest scan;
  scan.range = KeyRange::Prefix(evil);
  EXPECT_EQ(1u, backend->Scan(scan, Deadline::After(seconds{20}))->entries.size());
  EXPECT_EQ(1u, *backend->DeleteRange(scan.range, Deadline::After(seconds{20})));
  const std::string log = server().Log();
  EXPECT_NE(std::string::npos, log.find("write_entries"));
  EXPECT_EQ(std::string::npos, log.find("DROP TABLE"));
}

}  // namespace
}  // namespace holdfast::storage
