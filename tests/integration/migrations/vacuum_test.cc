// Vacuum as the service calls it.
#include "service/migrations/vacuum.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "tests/integration/migrations/schema_under_test.h"
#include "tests/integration/service/service_process.h"
#include "tests/waiting/eventually.h"

namespace holdfast::migrations {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SchemaVacuum : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(schema_.Up().ok());
    options_.dead_rows = 100;
  }
  Vacuumed MustVacuum() {
    const auto done = Vacuum(schema_.target(), options_);
    EXPECT_TRUE(done.ok()) << done.error().message();
    return done.ok() ? *done : Vacuumed{};
  }
  std::string OfEntries(const std::string& column) {
    return session_.Value("SELECT " + column + " FROM pg_stat_user_tables WHERE relid = 'entries'::regclass").value();
  }
  const SchemaUnderTest schema_;
  Session session_ = schema_.Connect();
  VacuumOptions options_;
};

TEST_F(SchemaVacuum, postgres_dead_rows_above_the_threshold_go_and_statistics_are_fresh) {
  MakeDeadRows(session_, 99);
  EXPECT_THAT(MustVacuum().tables, IsEmpty());
  ASSERT_TRUE(session_.Execute("UPDATE maintenance_tasks SET last_run = NULL").ok());
  MakeDeadRows(session_, 300);
  // Somebody is in the middle of a write.
  Session writer = schema_.Connect();
  ASSERT_TRUE(writer.Execute("BEGIN; SELECT bulk_upsert('{k}', '{1}')").ok());
  const Vacuumed done = MustVacuum();
  EXPECT_THAT(done.tables, ElementsAre("holdfast.entries"));
  EXPECT_EQ(done.problem, "");
  ASSERT_TRUE(writer.Execute("COMMIT").ok());
  EXPECT_EQ(OfEntries("n_dead_tup || ' ' || vacuum_count || ' ' || analyze_count"), "0 1 1");
  EXPECT_EQ(session_.Value("SELECT took IS NOT NULL AND problem IS NULL FROM maintenance_tasks WHERE task = 'vacuum'")
                .value(),
            "t");
}

TEST_F(SchemaVacuum, postgres_a_share_of_the_rows_counts_too) {
  ASSERT_TRUE(session_
                  .Execute("INSERT INTO entries (key, version, created_at, updated_at, value) "
                           "SELECT n::text::bytea, 2, 1, 1, 'x' FROM generate_series(1, 4000) n")
                  .ok());
  MakeDeadRows(session_, 300);
  EXPECT_THAT(MustVacuum().tables, IsEmpty()) << "100 and a tenth of 4000";
  ASSERT_TRUE(session_.Execute("UPDATE maintenance_tasks SET last_run = NULL").ok());
  MakeDeadRows(session_, 300);
  EXPECT_THAT(MustVacuum().tables, ElementsAre("holdfast.entries"));
}

// Several instances ask at the same time: one of them is told what to do, and nobody again before it is due.
TEST_F(SchemaVacuum, postgres_one_instance_at_a_time) {
  MakeDeadRows(session_, 300);
  std::atomic<int> vacuumed{0};
  std::vector<std::thread> instances;
  for (int i = 0; i < 4; ++i) {
    instances.emplace_back([&] { vacuumed += static_cast<int>(MustVacuum().tables.size()); });
  }
  for (std::thread& instance : instances) instance.join();
  EXPECT_EQ(vacuumed, 1);
  MakeDeadRows(session_, 300);
  EXPECT_THAT(MustVacuum().tables, IsEmpty());
  ASSERT_TRUE(session_.Execute("UPDATE maintenance_tasks SET last_run = last_run - interval '61 seconds'").ok());
  EXPECT_THAT(MustVacuum().tables, ElementsAre("holdfast.entries"));
  EXPECT_EQ(OfEntries("vacuum_count"), "2");
}

TEST_F(SchemaVacuum, postgres_a_table_that_somebody_works_on_is_passed_over) {
  MakeDeadRows(session_, 300);
  Session other = schema_.Connect();
  ASSERT_TRUE(other.Execute("BEGIN; LOCK TABLE entries IN SHARE UPDATE EXCLUSIVE MODE").ok());
  EXPECT_EQ(MustVacuum().problem, "");
  EXPECT_EQ(OfEntries("vacuum_count"), "0");
}

// Held back so that it lasts: whoever writes meanwhile does not notice, and it ends when it is told to.
TEST_F(SchemaVacuum, postgres_writers_pass_a_vacuum_and_it_can_be_stopped) {
  MakeDeadRows(session_, 100'000);
  ASSERT_TRUE(
      session_.Execute(fmt::format("ALTER DATABASE {} SET vacuum_cost_limit = 1", schema_.database().name())).ok());
  std::atomic<bool> stop{false};
  options_.stop = [&stop] { return stop.load(); };
  ErrorCode code{};
  std::thread vacuum([&] {
    const auto done = Vacuum(schema_.target(), options_);
    code = done.ok() ? ErrorCode::kInternal : done.error().code();
  });
  const auto running = [&] {
    return session_.Value("SELECT count(*) FROM pg_stat_progress_vacuum WHERE relid = 'entries'::regclass").value() ==
           "1";
  };
  EXPECT_TRUE(Eventually(running));
  const auto written = session_.Query("SET statement_timeout = '10s'; SELECT bulk_upsert('{k}', '{1}')");
  EXPECT_TRUE(written.ok()) << written.error().message();
  EXPECT_TRUE(running());
  stop = true;
  vacuum.join();
  EXPECT_EQ(code, ErrorCode::kCancelled);
  EXPECT_TRUE(Eventually([&] { return !running(); }));
}

TEST_F(SchemaVacuum, postgres_service_does_it) {
  MakeDeadRows(session_, 300);
  const TemporaryFolder folder;
  Process::Options options;
  options.words = {"serve", "--config",
                   folder.Write("holdfast.yaml", fmt::format("backends:\n  db: {{type: postgres, url: \"{}\"}}\n"
                                                             "listen: {{address: 127.0.0.1, port: 0}}\n"
                                                             "admin: {{address: 127.0.0.1, port: 0}}\n"
                                                             "migrations: {{maintenance_interval: 50ms, "
                                                             "vacuum_dead_rows: 100}}\n",
                                                             schema_.database().Url()))};
  Process service(options);
  EXPECT_TRUE(Eventually([&] { return OfEntries("vacuum_count") == "1"; }));
  service.Signal(SIGTERM);
  EXPECT_EQ(service.Wait(), 0);
}

}  // namespace
}  // namespace holdfast::migrations
