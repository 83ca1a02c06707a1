// Several runners, and others who hold locks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/integration/migrations/schema_under_test.h"

namespace holdfast::migrations {
namespace {

using testing::HasSubstr;
using Event = Progress::Event;

constexpr std::chrono::seconds kPatience{30};

void AwaitTrue(const std::atomic<bool>& flag) {
  const Deadline deadline = Deadline::After(kPatience);
  while (!flag && !deadline.Expired()) std::this_thread::sleep_for(std::chrono::milliseconds{2});
  EXPECT_TRUE(flag);
}

TEST(MigrateTogether, postgres_one_runner_works_and_the_other_waits) {
  const SchemaUnderTest schema;
  std::atomic<bool> other_waits{false};
  std::atomic<bool> inside{false};
  std::string told;

  // Stays in its first step until the other has said that it waits.
  MigratorOptions first = TestOptions();
  first.on_progress = [&](const Progress& progress) {
    if (progress.event != Event::kStatement) return;
    inside = true;
    AwaitTrue(other_waits);
  };
  MigratorOptions second = TestOptions();
  second.on_progress = [&](const Progress& progress) {
    if (progress.event == Event::kWaiting) {
      told = progress.text;
      other_waits = true;
    }
  };
  std::thread working([&] {
    const auto run = schema.Up(3, first, SmallSet());
    ASSERT_TRUE(run.ok()) << run.error().message();
    EXPECT_EQ(run->steps.size(), 3u);
  });
  AwaitTrue(inside);
  const auto run = schema.Up(3, second, SmallSet());
  working.join();
  ASSERT_TRUE(run.ok()) << run.error().message();
  EXPECT_TRUE(run->steps.empty());
  EXPECT_THAT(told, HasSubstr("server process"));
  EXPECT_THAT(told, HasSubstr("user postgres"));
  EXPECT_EQ(schema.Records(), "1 table applied, 2 column applied, 3 index applied");
}

TEST(MigrateTogether, postgres_many_runners_apply_each_step_once) {
  const SchemaUnderTest schema;
  std::atomic<std::size_t> steps{0};
  std::vector<std::thread> runners;
  for (int i = 0; i < 8; ++i) {
    runners.emplace_back([&] {
      const auto run = schema.Up();
      ASSERT_TRUE(run.ok()) << run.error().message();
      steps += run->steps.size();
    });
  }
  for (std::thread& runner : runners) runner.join();
  EXPECT_EQ(steps, static_cast<std::size_t>(MigrationSet::BuiltIn().latest()));
  EXPECT_TRUE(schema.State().current());
}

TEST(MigrateTogether, postgres_waiting_ends_with_the_name_of_who_works) {
  const SchemaUnderTest schema;
  std::atomic<bool> inside{false};
  std::atomic<bool> finished{false};
  MigratorOptions first = TestOptions();
  first.on_progress = [&](const Progress&) {
    inside = true;
    AwaitTrue(finished);
  };
  std::thread working([&] { EXPECT_TRUE(schema.Up(1, first, SmallSet()).ok()); });
  AwaitTrue(inside);
  MigratorOptions impatient = TestOptions();
  impatient.runner_wait = std::chrono::milliseconds{50};
  const auto run = schema.Up(1, impatient, SmallSet());
  finished = true;
  working.join();
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_THAT(run.error().message(), HasSubstr("migrations.runner_wait: server process"));
}

// While it waits for a table, everybody who comes later waits behind it.
TEST(MigrateTogether, postgres_lets_go_of_a_lock_it_does_not_get_and_tries_again) {
  const SchemaUnderTest schema;
  ASSERT_TRUE(schema.Up(1, TestOptions(), SmallSet()).ok());
  Session reader = schema.Connect();
  ASSERT_TRUE(reader.Execute("BEGIN; SELECT * FROM things").ok());
  MigratorOptions options = TestOptions();
  options.lock_timeout = std::chrono::milliseconds{50};
  int timeouts = 0;
  options.on_progress = [&](const Progress& progress) {
    if (progress.event != Event::kLockTimeout) return;
    EXPECT_THAT(progress.text, HasSubstr("lock timeout"));
    // Others get their turn meanwhile.
    EXPECT_TRUE(schema.Connect().Execute("INSERT INTO things VALUES (5)").ok());
    ++timeouts;
    if (timeouts < 2) return;
    EXPECT_TRUE(reader.Execute("COMMIT").ok());
  };
  const auto run = schema.Up(2, options, SmallSet());
  ASSERT_TRUE(run.ok()) << run.error().message();
  EXPECT_EQ(timeouts, 2);
  EXPECT_EQ(schema.Records(), "1 table applied, 2 column applied");
}

TEST(MigrateTogether, postgres_gives_up_on_a_lock_after_the_attempts_and_says_so) {
  const SchemaUnderTest schema;
  ASSERT_TRUE(schema.Up(1, TestOptions(), SmallSet()).ok());
  Session reader = schema.Connect();
  ASSERT_TRUE(reader.Execute("BEGIN; SELECT * FROM things").ok());
  MigratorOptions options = TestOptions();
  options.lock_timeout = std::chrono::milliseconds{20};
  options.lock_attempts = 3;
  const auto run = schema.Up(2, options, SmallSet());
  ASSERT_FALSE(run.ok());
  EXPECT_THAT(run.error().message(), HasSubstr("0002_column.up.sql: undone after 3 attempts"));
  EXPECT_EQ(schema.Records(), "1 table applied");
}

TEST(MigrateTogether, postgres_statement_timeout_ends_what_takes_too_long) {
  const SchemaUnderTest schema;
  MigratorOptions options = TestOptions();
  options.statement_timeout = std::chrono::milliseconds{100};
  const MigrationSet known =
      MakeSet({{"0001_slow.up.sql", "SELECT pg_sleep(600);"}, {"0001_slow.down.sql", "SELECT 1;"}});
  const auto run = schema.Up(1, options, known);
  ASSERT_FALSE(run.ok());
  EXPECT_THAT(run.error().message(), HasSubstr("statement timeout"));
  EXPECT_EQ(schema.State(known).version, 0);
}

}  // namespace
}  // namespace holdfast::migrations
