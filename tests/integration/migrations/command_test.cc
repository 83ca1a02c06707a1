// `holdfast migrate` as people and jobs run it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <sstream>

#include "base/time/deadline.h"
#include "nlohmann/json.hpp"
#include "tests/integration/migrations/schema_under_test.h"
#include "tests/integration/service/service_process.h"

namespace holdfast::migrations {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class MigrateCommand : public testing::Test {
 protected:
  Finished Run(std::vector<std::string> words) const {
    words.insert(words.begin(), "migrate");
    Process::Options options;
    options.words = std::move(words);
    options.environment = {{"HOLDFAST_MIGRATION_URL", schema_.database().Url()}};
    Finished finished = RunHoldfast(options);
    EXPECT_THAT(finished.output + finished.errors, Not(HasSubstr(postgres_servers::kPassword)));
    return finished;
  }
  int ExitCode(std::vector<std::string> words) const { return Run(std::move(words)).exit_code; }

  // Settings that name the backend, as a service has them.
  std::string Settings(const TemporaryFolder& folder) const {
    return folder.Write("holdfast.yaml",
                        fmt::format("backends:\n  db: {{type: postgres, url: \"{}\", schema: {}}}\n"
                                    "listen: {{address: 127.0.0.1, port: 0}}\nadmin: {{address: 127.0.0.1, port: 0}}\n",
                                    schema_.database().Url(), schema_.schema()));
  }

  SchemaUnderTest schema_;
  const int latest_ = MigrationSet::BuiltIn().latest();
};

TEST_F(MigrateCommand, postgres_up_status_verify_down) {
  Finished status = Run({"status"});
  EXPECT_EQ(status.exit_code, 3);
  EXPECT_THAT(status.output, HasSubstr(fmt::format("schema holdfast: step 0 of {}, behind\n", latest_)));
  const Finished up = Run({"up"});
  EXPECT_EQ(up.exit_code, 0) << up.errors;
  EXPECT_EQ(up.output, "");
  status = Run({"status"});
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_THAT(status.output, HasSubstr("  0001 entries                     applied   "));
  EXPECT_EQ(ExitCode({"verify"}), 0);
  const Finished refused = Run({"down", "--to", "0"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.errors, HasSubstr("0001_entries.down.sql destroys what clients stored"));
  EXPECT_EQ(ExitCode({"down", "--to=0", "--allow-data-loss"}), 0);
  EXPECT_EQ(ExitCode({"status"}), 3);
}

TEST_F(MigrateCommand, postgres_progress_is_json_lines_and_state_one_document) {
  const Finished up = Run({"up", "--to", "2", "--log.level=debug"});
  ASSERT_EQ(up.exit_code, 0) << up.errors;
  std::istringstream lines(up.errors);
  int statements = 0;
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    const json entry = json::parse(line, nullptr, false);
    ASSERT_FALSE(entry.is_discarded()) << line;
    last = entry["message"];
    statements += last == "statement" ? 1 : 0;
  }
  EXPECT_EQ(last, "schema migrated");
  EXPECT_GT(statements, 5);
  const json status = json::parse(Run({"status", "--json"}).output);
  EXPECT_EQ(status["version"], 2);
  EXPECT_EQ(status["latest"], latest_);
  EXPECT_EQ(status["current"], false);
  EXPECT_EQ(status["steps"].size(), static_cast<std::size_t>(latest_));
}

TEST_F(MigrateCommand, postgres_plan_and_dry_run_change_nothing) {
  const Finished plan = Run({"plan", "--to", "2"});
  EXPECT_EQ(plan.exit_code, 0);
  EXPECT_THAT(plan.output, HasSubstr("0001_entries.up.sql: "));
  const Finished dry = Run({"up", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 0);
  EXPECT_THAT(dry.output, HasSubstr("BEGIN;\nCREATE TABLE entries ("));
  EXPECT_EQ(schema_.database().Connect()->Value("SELECT count(*) FROM pg_namespace WHERE nspname = 'holdfast'").value(),
            "0");
  ASSERT_TRUE(schema_.Up().ok());
  EXPECT_EQ(Run({"plan"}).output, "nothing to do\n");
  const json back = json::parse(Run({"plan", "--to", "1", "--json"}).output);
  EXPECT_EQ(back["steps"].size(), static_cast<std::size_t>(latest_ - 1));
  EXPECT_EQ(back["steps"][0]["direction"], "down");
  EXPECT_TRUE(schema_.State().current());
}

TEST_F(MigrateCommand, postgres_verify_finds_what_does_not_hold) {
  ASSERT_TRUE(schema_.Up().ok());
  ASSERT_TRUE(schema_.Connect()
                  .Execute("ALTER TABLE entries ADD CONSTRAINT mine CHECK (version > 1) NOT VALID; UPDATE pg_index SET "
                           "indisvalid = false WHERE indexrelid = 'entries_expires_at'::regclass")
                  .ok());
  const Finished verify = Run({"verify"});
  EXPECT_EQ(verify.exit_code, 3);
  EXPECT_THAT(verify.output, HasSubstr("constraint mine of holdfast.entries is not validated"));
  EXPECT_THAT(verify.output, HasSubstr("index holdfast.entries_expires_at is not valid"));
  EXPECT_EQ(ExitCode({"status"}), 0);
}

TEST_F(MigrateCommand, postgres_server_from_the_settings_a_file_and_steps_from_a_folder) {
  const TemporaryFolder folder;
  Process::Options options;
  options.words = {"migrate", "up", "--to", "1", "--config", Settings(folder), "--migrations.lock_timeout=1s"};
  Finished run = RunHoldfast(options);
  EXPECT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_EQ(schema_.State().version, 1);

  folder.Write("url", schema_.database().Url() + "\n");
  folder.Write("0001_one.up.sql", "CREATE TABLE one (a int);");
  folder.Write("0001_one.down.sql", "DROP TABLE one;");
  options.words = {
      "migrate",  "up",       "--url-file", (folder.path() / "url").string(), "--from", folder.path().string(),
      "--schema", "Other one"};
  run = RunHoldfast(options);
  EXPECT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_EQ(schema_.database().Connect()->Value("SELECT count(*) FROM \"Other one\".one").value(), "0");
  // The binary's own steps are not these.
  const Finished status = Run({"status", "--schema", "Other one"});
  EXPECT_EQ(status.exit_code, 3);
  EXPECT_THAT(status.output, HasSubstr("problem: step 1 was applied as \"one\" and is called \"entries\" here"));
}

TEST_F(MigrateCommand, postgres_wrong_usage_says_what_is_wrong) {
  const auto expect = [&](const std::vector<std::string>& words, int code, const std::string& text) {
    const Finished run = Run(words);
    EXPECT_EQ(run.exit_code, code) << run.errors;
    EXPECT_THAT(run.errors, HasSubstr(text));
  };
  expect({}, 2, "0 arguments given");
  expect({"sideways"}, 2, "unknown verb sideways; there are up, down, status, verify, plan");
  expect({"down"}, 2, "down needs --to N");
  expect({"up", "--to", "two"}, 2, "--to takes the number of a step, not \"two\"");
  expect({"up", "--to", "999"}, 2, "there is no step 999");
  expect({"up", "--backend", "absent"}, 2, "there is no backend absent");
  expect({"up", "--schema", "pg_mine"}, 2, "PostgreSQL's own");
  expect({"up", "--from", "/nowhere"}, 2, "cannot read /nowhere");
  expect({"up", "--migrations.lock_timeout=soon"}, 2, "migrations.lock_timeout");
  expect({"up", "--url-file", "/nowhere"}, 2, "cannot read /nowhere");
  EXPECT_EQ(ExitCode({"--help"}), 0);
  Process::Options nothing;
  nothing.words = {"migrate", "up"};
  const Finished run = RunHoldfast(nothing);
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("no server is named"));
}

TEST_F(MigrateCommand, postgres_fault_killed_while_it_waits_for_a_lock) {
  ASSERT_TRUE(schema_.Up(1).ok());
  Session holder = schema_.Connect();
  ASSERT_TRUE(holder.Execute("BEGIN; LOCK TABLE entries").ok());
  Process::Options options;
  options.words = {"migrate", "up", "--migrations.lock_timeout=1h"};
  options.environment = {{"HOLDFAST_MIGRATION_URL", schema_.database().Url()}};
  Process process(options);
  const std::string waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'entries'::regclass";
  const auto await = [&](const std::string& count) {
    const Deadline deadline = Deadline::After(std::chrono::seconds{30});
    while (schema_.Connect().Value(waiting).value() != count && !deadline.Expired()) {
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    EXPECT_EQ(schema_.Connect().Value(waiting).value(), count);
  };
  await("1");
  process.Signal(SIGKILL);
  EXPECT_EQ(process.Wait(), 128 + SIGKILL);
  await("0");  // long before the lock is free
  ASSERT_TRUE(holder.Execute("COMMIT").ok());
  EXPECT_EQ(ExitCode({"up"}), 0);
  EXPECT_TRUE(schema_.State().current());
}

TEST_F(MigrateCommand, postgres_service_refuses_a_schema_it_does_not_know) {
  const TemporaryFolder folder;
  Process::Options options;
  options.words = {"serve", "--config", Settings(folder)};
  const auto expect_refused = [&](const std::string& reason) {
    const Finished run = RunHoldfast(options);
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_THAT(run.errors, HasSubstr(reason));
  };
  expect_refused("the schema is not served: it is at step 0");
  ASSERT_TRUE(schema_.Up(latest_ - 1).ok());
  expect_refused(
      fmt::format("it is at step {} and this binary needs {}; run: holdfast migrate up", latest_ - 1, latest_));
  ASSERT_TRUE(schema_.Up().ok());
  ASSERT_TRUE(
      schema_.Connect()
          .Execute(fmt::format("INSERT INTO schema_migrations (number, name, up_checksum, down_checksum, state, "
                               "applied_by) VALUES ({}, 'tomorrow', '', '', 'applied', '99.0')",
                               latest_ + 1))
          .ok());
  expect_refused("the schema is newer than this binary");
  ASSERT_TRUE(schema_.Connect()
                  .Execute("DELETE FROM schema_migrations WHERE name = 'tomorrow'; UPDATE "
                           "schema_migrations SET up_checksum = 'x' WHERE number = 1")
                  .ok());
  expect_refused("0001_entries.up.sql was changed after it was applied");
}

}  // namespace
}  // namespace holdfast::migrations
