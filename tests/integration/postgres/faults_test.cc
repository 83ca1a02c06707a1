// What the service does while its PostgreSQL server restarts, dies, hangs or is stuck, and what its clients may
// believe.
#include <fmt/format.h>

#include "tests/integration/postgres/fault_bench.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using postgres_servers::Session;

// Sessions of the service that wait for a lock inside the server.
int Stuck(Session& session) {
  return std::stoi(session
                       .Value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast' "
                              "AND wait_event_type = 'Lock'")
                       .value());
}

TEST_F(PostgresFaultTest, postgres_fault_restart_in_mid_transaction) {
  StartService();
  AuditedLoad load(service().port());
  ASSERT_TRUE(load.AwaitAcknowledged(50));
  {
    // Every write is inside its transaction, behind this lock, when the server goes.
    Session session = Connect();
    ASSERT_TRUE(session.Execute("BEGIN; LOCK TABLE holdfast.change_state").ok());
    ASSERT_TRUE(Eventually([&] { return Stuck(session) > 0; }));
    ASSERT_TRUE(server().Restart().ok());
  }
  ASSERT_TRUE(load.AwaitUnknown(1));
  ASSERT_TRUE(load.AwaitAcknowledged(50));
  load.Stop();
  ExpectRecovery();
  ExpectNothingLost(load.history());
  ExpectNoConnectionLeft();
}

TEST_F(PostgresFaultTest, postgres_fault_kill_under_load) {
  StartService();
  AuditedLoad load(service().port());
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(load.AwaitAcknowledged(100));
    server().Kill();
    if (round == 0) {
      EXPECT_TRUE(Eventually([&] { return Health() == "unhealthy"; }));
      const auto refused = Put("refused", "1");
      EXPECT_EQ(refused.status, 503);
      EXPECT_EQ(refused.headers.count("Retry-After"), 1u);
      EXPECT_EQ(refused.body.find(postgres_servers::kPassword), std::string::npos);
      ExpectTheRestServes();
    }
    const Status started = server().StartAgain();
    ASSERT_TRUE(started.ok()) << started.error().ToString();
  }
  ASSERT_TRUE(load.AwaitAcknowledged(100));
  load.Stop();
  ExpectRecovery();
  ExpectNothingLost(load.history());
  ExpectNoConnectionLeft();
}

// Connections that stand and carry nothing: no error ever comes, only deadlines help.
TEST_F(PostgresFaultTest, postgres_fault_frozen_server) {
  // What bounds a patient client; the others are bounded by what they ask for.
  StartService(", statement_timeout: 5s");
  ASSERT_EQ(CodeOf(Put("before", "1")), "ok");
  AuditedLoad load(service().port());
  load.history().RecordWrite({{"before", "1"}}, Told::kAcknowledged);
  ASSERT_TRUE(load.AwaitAcknowledged(50));
  server().Freeze();
  // Clients in a hurry are answered in their time also when they share a batch with patient ones.
  std::vector<std::thread> patient;
  std::vector<Told> told(4, Told::kRefused);
  for (std::size_t i = 0; i < told.size(); ++i) {
    patient.emplace_back([&, i] {
      http::ClientOptions options;
      options.base_url = service().url();
      http::HttpClient client(options);
      const auto answer =
          client.Send({"PUT", fmt::format("/v1/stores/main/keys/patient{}", i), {{"Holdfast-Timeout", "120s"}}, "1"},
                      Deadline::After(std::chrono::seconds{150}));
      ASSERT_TRUE(answer.ok()) << answer.error().ToString();
      told[i] = OutcomeOf(*answer, load.history());
    });
  }
  ASSERT_TRUE(Eventually([&] { return load.history().counts().refused + load.history().counts().unknown > 0; }));
  for (int i = 0; i < 3; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto read = Get("before", "500ms");
    const auto write = Put(fmt::format("hurried{}", i), "1", "500ms");
    // Far above what was asked for, and far below what the patient ones may wait.
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{20});
    EXPECT_EQ(read.status / 100, 5) << read.body;
    EXPECT_EQ(write.status / 100, 5) << write.body;
    load.history().RecordWrite({{fmt::format("hurried{}", i), "1"}}, OutcomeOf(write, load.history()));
  }
  EXPECT_TRUE(Eventually([&] { return Health() == "unhealthy"; }));
  ExpectTheRestServes();
  server().Thaw();
  for (std::thread& thread : patient) thread.join();
  for (std::size_t i = 0; i < told.size(); ++i) {
    load.history().RecordWrite({{fmt::format("patient{}", i), "1"}}, told[i]);
  }
  ASSERT_TRUE(load.AwaitAcknowledged(50));
  load.Stop();
  ExpectRecovery();
  EXPECT_EQ(Get("before").body, "1");
  ExpectNothingLost(load.history());
  ExpectNoConnectionLeft();
}

// Every connection of the pool is in the hands of a client that waits. The admin port has a thread of its own, and what
// it says is not asked of the server then.
TEST_F(PostgresFaultTest, postgres_fault_readiness_follows_a_server_that_hangs) {
  StartServiceAlone(", statement_timeout: 5s");
  ASSERT_EQ(CodeOf(Put("before", "1")), "ok");
  ASSERT_EQ(service().Admin("/readyz").status, 200);
  server().Freeze();
  std::vector<std::thread> stuck;
  for (int i = 0; i < 16; ++i) {
    stuck.emplace_back([&, i] {
      http::ClientOptions options;
      options.base_url = service().url();
      http::HttpClient client(options);
      const auto answer = client.Send({i % 2 == 0 ? "PUT" : "GET",
                                       fmt::format("/v1/stores/main/keys/k{}", i),
                                       {{"Holdfast-Timeout", "60s"}},
                                       i % 2 == 0 ? "1" : ""},
                                      Deadline::After(std::chrono::seconds{90}));
      ASSERT_TRUE(answer.ok()) << answer.error().ToString();
      // The server goes on in the middle of it.
      EXPECT_TRUE(answer->status / 100 == 2 || answer->status == 404 || answer->status / 100 == 5) << answer->body;
    });
  }
  const auto live_and_ready = [&](int status) {
    EXPECT_EQ(service().Admin("/livez").status, 200);
    return service().Admin("/readyz").status == status;
  };
  EXPECT_TRUE(Eventually([&] { return live_and_ready(503); }));
  EXPECT_EQ(service().Admin("/healthz").status, 503);
  server().Thaw();
  EXPECT_TRUE(Eventually([&] { return live_and_ready(200); }));
  for (std::thread& client : stuck) client.join();
  ExpectRecovery();
  ExpectNoConnectionLeft();
}

// The server answers every question and accepts connections; only commits do not come back, for want of the standby
// they wait for. A ping would call that healthy.
TEST_F(PostgresFaultTest, postgres_fault_readiness_asks_for_a_write) {
  StartServiceAlone();
  ASSERT_EQ(service().Admin("/readyz").status, 200);
  ASSERT_TRUE(server().SetParameter("synchronous_standby_names", "nobody").ok());
  EXPECT_TRUE(Eventually([&] { return service().Admin("/readyz").status == 503; }));
  EXPECT_EQ(Connect().Value("SELECT 1").value(), "1");
  EXPECT_EQ(Get("nothing").status, 404);
  EXPECT_EQ(service().Admin("/livez").status, 200);
  ASSERT_TRUE(server().SetParameter("synchronous_standby_names", "").ok());
  EXPECT_TRUE(Eventually([&] { return service().Admin("/readyz").status == 200; }));
  ExpectRecovery();
  ExpectNoConnectionLeft();
}

// What is logged of statements, and what is not: nothing that a client has sent.
TEST_F(PostgresFaultTest, postgres_fault_slow_statements_are_logged_without_what_they_carry) {
  constexpr std::string_view kSlow = R"("message":"slow statement","statement":"write_entries")";
  constexpr std::string_view kEach = R"("message":"statement","statement":"write_entries")";
  const auto log_has = [&](std::string_view text) {
    return service().process().Errors().find(text) != std::string::npos;
  };
  StartService(", slow_statement: 200ms");
  ASSERT_EQ(CodeOf(Put("quick", "1")), "ok");
  Session session = Connect();
  ASSERT_TRUE(session.Execute("BEGIN; LOCK TABLE holdfast.change_state IN ACCESS EXCLUSIVE MODE").ok());
  std::string code;
  std::thread writer([&] { code = CodeOf(Put("canarykey", "canaryvalue")); });
  EXPECT_TRUE(Eventually([&] { return Stuck(session) > 0; }));
  const std::string asleep = session.Value("SELECT pg_sleep(0.3)").value();
  EXPECT_EQ(asleep, "");
  ASSERT_TRUE(session.Execute("COMMIT").ok());
  writer.join();
  EXPECT_EQ(code, "ok");
  EXPECT_TRUE(Eventually([&] { return log_has(kSlow); })) << service().process().Errors();
  EXPECT_FALSE(log_has(kEach));
  // As text, and as PostgreSQL writes bytes.
  for (const char* canary : {"canarykey", "canaryvalue", "63616e6172796b6579", "63616e61727976616c7565"}) {
    EXPECT_FALSE(log_has(canary)) << canary;
  }
}

TEST_F(PostgresFaultTest, postgres_fault_every_statement_is_logged_when_asked_for) {
  StartService(", log_statements: true, slow_statement: 0s");
  ASSERT_EQ(CodeOf(Put("canarykey", "canaryvalue")), "ok");
  EXPECT_EQ(Get("canarykey").body, "canaryvalue");
  const std::string log = service().process().Errors();
  EXPECT_THAT(log, testing::HasSubstr(R"("message":"statement","statement":"write_entries")"));
  EXPECT_THAT(log, testing::HasSubstr(R"("message":"statement","statement":"read_entries")"));
  EXPECT_THAT(log, testing::HasSubstr(R"("result":"ok")"));
  EXPECT_THAT(log, testing::Not(testing::HasSubstr("slow statement")));
  for (const char* canary : {"canarykey", "canaryvalue", "63616e6172796b6579", "63616e61727976616c7565"}) {
    EXPECT_THAT(log, testing::Not(testing::HasSubstr(canary)));
  }
}

// As many clients as there may be, all of them behind locks that somebody else holds.
TEST_F(PostgresFaultTest, postgres_fault_pool_exhausted_by_64_stuck_clients) {
  StartService(", lock_timeout: 2s");
  ASSERT_EQ(CodeOf(Put("before", "1")), "ok");
  Session session = Connect();
  ASSERT_TRUE(session.Execute("BEGIN; LOCK TABLE holdfast.entries IN ACCESS EXCLUSIVE MODE").ok());
  WriteHistory history;
  history.RecordWrite({{"before", "1"}}, Told::kAcknowledged);
  std::atomic<int> refused{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 64; ++i) {
    clients.emplace_back([&, i] {
      http::ClientOptions options;
      options.base_url = service().url();
      http::HttpClient client(options);
      const std::string key = fmt::format("k{}", i);
      // Half of them read. Lists go past the queue of single keys.
      const std::string method = i % 2 == 0 ? "PUT" : "GET";
      const std::string target = i % 8 == 7 ? "/v1/stores/main/keys?prefix=k" : "/v1/stores/main/keys/" + key;
      const auto answer = client.Send({method, target, {{"Holdfast-Timeout", "60s"}}, method == "PUT" ? "1" : ""},
                                      Deadline::After(std::chrono::seconds{90}));
      ASSERT_TRUE(answer.ok()) << answer.error().ToString();
      EXPECT_EQ(answer->status, 503) << answer->body;
      EXPECT_EQ(answer->headers.count("Retry-After"), 1u);
      const bool named = answer->body.find("lock_timeout") != std::string::npos ||
                         answer->body.find("acquire_timeout") != std::string::npos;
      EXPECT_TRUE(named) << answer->body;
      if (method == "PUT") history.RecordWrite({{key, "1"}}, OutcomeOf(*answer, history));
      ++refused;
    });
  }
  EXPECT_TRUE(Eventually([&] { return Stuck(session) >= 2; }));
  ExpectTheRestServes();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(refused, 64);
  ASSERT_TRUE(session.Execute("ROLLBACK").ok());
  ExpectRecovery();
  ExpectNothingLost(history);
  ExpectNoConnectionLeft();
}

// The control: the audit sees what the service has, so a write that the server has lost is missed.
TEST_F(PostgresFaultTest, postgres_fault_the_audit_finds_an_acknowledged_write_that_is_gone) {
  StartService();
  AuditedLoad load(service().port());
  ASSERT_TRUE(load.AwaitAcknowledged(20));
  load.Stop();
  ExpectNothingLost(load.history());
  ASSERT_TRUE(Connect().Execute("DELETE FROM holdfast.entries WHERE position('w0/0'::bytea IN key) > 0").ok());
  EXPECT_THAT(load.history().Complaints(Everything()), testing::ElementsAre("w0/0 is lost"));
}

}  // namespace
}  // namespace holdfast
