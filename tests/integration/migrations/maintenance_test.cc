// Maintenance as the service calls it.
#include "service/migrations/maintenance.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "tests/integration/migrations/schema_under_test.h"
#include "tests/integration/service/service_process.h"
#include "tests/postgres/pgbouncer.h"
#include "tests/waiting/eventually.h"

namespace holdfast::migrations {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::chrono::seconds kPatience{60};

std::vector<std::string> Tasks(const std::vector<Maintained>& done) {
  std::vector<std::string> names;
  for (const Maintained& task : done) names.push_back(task.task + task.problem);
  return names;
}

TEST(SchemaMaintenance, postgres_does_what_is_due_behind_a_pooler_too) {
  const SchemaUnderTest schema("odd \"one");
  ASSERT_TRUE(schema.Up().ok());
  auto pooler = postgres_servers::PgBouncer::Start(schema.database().server());
  ASSERT_TRUE(pooler.ok()) << pooler.error().message();
  const Target target{(*pooler)->Url(schema.database().name()), "", schema.schema()};
  auto done = Maintain(target, {});
  ASSERT_TRUE(done.ok()) << done.error().message();
  EXPECT_THAT(Tasks(*done), ElementsAre("partitions", "samples", "statistics"));
  done = Maintain(target, {});
  ASSERT_TRUE(done.ok()) << done.error().message();
  EXPECT_THAT(*done, testing::IsEmpty());
}

TEST(SchemaMaintenance, postgres_task_that_takes_too_long_is_ended_and_recorded) {
  const SchemaUnderTest schema;
  ASSERT_TRUE(schema.Up().ok());
  ASSERT_TRUE(schema.Connect()
                  .Execute("CREATE OR REPLACE FUNCTION refresh_statistics() RETURNS void LANGUAGE sql AS "
                           "'SELECT pg_sleep(600)'")
                  .ok());
  MaintenanceOptions options;
  options.task_timeout = std::chrono::milliseconds{300};
  const auto done = Maintain(schema.target(), options);
  ASSERT_TRUE(done.ok()) << done.error().message();
  EXPECT_THAT(Tasks(*done), ElementsAre("partitions", "samples", HasSubstr("statement timeout")));
}

TEST(SchemaMaintenance, postgres_stops_in_the_middle_of_a_task) {
  const SchemaUnderTest schema;
  ASSERT_TRUE(schema.Up().ok());
  ASSERT_TRUE(schema.Connect()
                  .Execute("CREATE OR REPLACE FUNCTION take_samples() RETURNS bigint LANGUAGE sql AS "
                           "'SELECT 1 FROM pg_sleep(600)'")
                  .ok());
  std::atomic<bool> stop{false};
  MaintenanceOptions options;
  options.stop = [&stop] { return stop.load(); };
  std::thread stopping([&] {
    Session session = schema.Connect();
    EXPECT_TRUE(Eventually([&] {
      return session.Value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'").value() == "1";
    }));
    stop = true;
  });
  const auto done = Maintain(schema.target(), options);
  stopping.join();
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code(), ErrorCode::kCancelled);
  // The server does not go on with it.
  Session session = schema.Connect();
  EXPECT_TRUE(Eventually([&] {
    return session.Value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'").value() == "0";
  }));
  EXPECT_EQ(session.Value("SELECT count(*) FROM maintenance_tasks WHERE last_run IS NOT NULL").value(), "1");
}

TEST(SchemaMaintenance, postgres_service_does_it_and_complains_once) {
  const SchemaUnderTest schema;
  ASSERT_TRUE(schema.Up().ok());
  const TemporaryFolder folder;
  Process::Options options;
  options.words = {"serve", "--config",
                   folder.Write("holdfast.yaml", fmt::format("backends:\n  db: {{type: postgres, url: \"{}\"}}\n"
                                                             "listen: {{address: 127.0.0.1, port: 0}}\n"
                                                             "admin: {{address: 127.0.0.1, port: 0}}\n"
                                                             "migrations: {{maintenance_interval: 50ms}}\n",
                                                             schema.database().Url()))};
  Process service(options);
  Session session = schema.Connect();
  EXPECT_TRUE(Eventually([&] { return session.Value("SELECT count(*) > 0 FROM monitoring_samples").value() == "t"; }));
  ASSERT_TRUE(session.Execute("ALTER FUNCTION maintain() RENAME TO maintain_later").ok());
  constexpr std::string_view kComplaint = "maintenance of a schema failed";
  EXPECT_TRUE(Eventually([&] { return service.Errors().find(kComplaint) != std::string::npos; }));
  ASSERT_TRUE(session
                  .Execute("ALTER FUNCTION maintain_later() RENAME TO maintain; "
                           "UPDATE maintenance_tasks SET last_run = NULL")
                  .ok());
  EXPECT_TRUE(Eventually(
      [&] { return session.Value("SELECT count(*) FROM maintenance_tasks WHERE last_run IS NULL").value() == "0"; }));
  service.Signal(SIGTERM);
  EXPECT_EQ(service.Wait(), 0);
  const std::string log = service.Errors();
  EXPECT_EQ(log.find(kComplaint), log.rfind(kComplaint)) << log;
}

}  // namespace
}  // namespace holdfast::migrations
