// A run that ends at any of its points, and the next one that goes on: by SIGKILL of the runner, by the server hanging
// up, and in the middle of a statement.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "tests/integration/migrations/schema_under_test.h"

namespace holdfast::migrations {
namespace {

using testing::HasSubstr;

constexpr std::chrono::seconds kPatience{30};

// The nth point of step `number` or, when the step has fewer, the first of the one behind it.
class StopAt {
 public:
  StopAt(int number, int point, Direction direction, std::function<void()> stop)
      : number_(number), point_(point), direction_(direction), stop_(std::move(stop)) {}

  void operator()(const Progress& progress) {
    if (stopped_ || progress.step == nullptr) return;
    const int at = progress.step->migration->number;
    const bool beyond = direction_ == Direction::kUp ? at > number_ : at < number_;
    if (!beyond && (at != number_ || ++seen_ != point_)) return;
    stopped_ = true;
    stop_();
  }

 private:
  const int number_;
  const int point_;
  const Direction direction_;
  const std::function<void()> stop_;
  int seen_ = 0;
  bool stopped_ = false;
};

// Runs `interrupted` for every point of every step, in the order of a migration, and counts the points. After each the
// schema has to be whole: at a step, or at one that says that it is unfinished.
int InterruptEverywhere(const SchemaUnderTest& schema, const MigrationSet& known, Direction direction,
                        const std::function<void(int number, int point)>& interrupted) {
  const bool up = direction == Direction::kUp;
  int points = 0;
  int number = up ? 1 : known.latest();
  int point = 1;
  while (up ? number <= known.latest() : number > 0) {
    interrupted(number, point);
    ++points;
    const SchemaState state = schema.State(known);
    EXPECT_EQ(state.problems, std::vector<std::string>{}) << number << ", point " << point;
    const int next = up ? state.version + 1 : (state.unfinished ? state.unfinished->number : state.version);
    point = next == number ? point + 1 : 1;
    number = next;
    if (points > 1000) {
      ADD_FAILURE() << "it never ends";
      break;
    }
  }
  return points;
}

// One run in a process of its own, which kills itself there.
void KillRunner(const SchemaUnderTest& schema, const MigrationSet& known, Direction direction, int number, int point) {
  const pid_t child = fork();
  if (child == 0) {
    MigratorOptions options = TestOptions();
    options.on_progress = StopAt(number, point, direction, [] { raise(SIGKILL); });
    const bool up = direction == Direction::kUp;
    const auto run = Migrate(schema.target(), known, {direction, up ? known.latest() : 0, true}, options);
    _exit(run.ok() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  // The last run of all has no point left.
  ASSERT_TRUE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
      << "step " << number << ", point " << point;
}

void HangUp(const SchemaUnderTest& schema) {
  const auto gone = schema.database().Connect()->Value(
      "SELECT count(pg_terminate_backend(pid, 30000)) FROM pg_stat_activity WHERE datname = current_database() AND "
      "application_name = 'holdfast migrate'");
  // A connection that looked at the state may not have ended yet.
  EXPECT_NE(gone.value(), "0");
}

std::string UndisturbedDump(const MigrationSet& known) {
  const SchemaUnderTest schema;
  const auto up = schema.Up(known.latest(), TestOptions(), known);
  EXPECT_TRUE(up.ok()) << up.error().message();
  return schema.Dump();
}

// Each statement, the record and the commit of each step, and the moment before the step.
int PointsOf(const MigrationSet& known) {
  int points = 0;
  for (int number = 1; number <= known.latest(); ++number) {
    points += static_cast<int>(known.at(number).up.statements.size()) + 3;
  }
  return points;
}

TEST(MigrateInterrupted, postgres_fault_killed_at_every_statement_of_the_built_in_steps) {
  const SchemaUnderTest schema;
  const MigrationSet& known = MigrationSet::BuiltIn();
  const int points = InterruptEverywhere(schema, known, Direction::kUp, [&](int number, int point) {
    KillRunner(schema, known, Direction::kUp, number, point);
  });
  EXPECT_GE(points, PointsOf(known));
  EXPECT_TRUE(schema.State().current());
  EXPECT_EQ(schema.Dump(), UndisturbedDump(known));
}

TEST(MigrateInterrupted, postgres_fault_killed_at_every_statement_on_the_way_back) {
  const SchemaUnderTest schema;
  const MigrationSet& known = MigrationSet::BuiltIn();
  ASSERT_TRUE(schema.Up().ok());
  const std::string dump = schema.Dump();
  const int points = InterruptEverywhere(schema, known, Direction::kDown, [&](int number, int point) {
    KillRunner(schema, known, Direction::kDown, number, point);
  });
  EXPECT_GE(points, 3 * known.latest());
  EXPECT_EQ(schema.State().version, 0);
  ASSERT_TRUE(schema.Up().ok());
  EXPECT_EQ(schema.Dump(), dump);
}

// With a step that is no transaction among them.
TEST(MigrateInterrupted, postgres_fault_killed_at_every_statement_of_steps_without_a_transaction) {
  const SchemaUnderTest schema;
  const MigrationSet& known = SmallSet();
  InterruptEverywhere(schema, known, Direction::kUp,
                      [&](int number, int point) { KillRunner(schema, known, Direction::kUp, number, point); });
  EXPECT_EQ(schema.Records(), "1 table applied, 2 column applied, 3 index applied");
  EXPECT_EQ(schema.Dump(), UndisturbedDump(known));
  // Inserted by a step that was tried several times.
  EXPECT_EQ(schema.Connect().Value("SELECT count(*) FROM things").value(), "1");
  InterruptEverywhere(schema, known, Direction::kDown,
                      [&](int number, int point) { KillRunner(schema, known, Direction::kDown, number, point); });
  EXPECT_EQ(schema.Records(), "");
}

TEST(MigrateInterrupted, postgres_fault_server_hangs_up_before_every_statement) {
  const SchemaUnderTest schema;
  const MigrationSet& known = SmallSet();
  int unknown = 0;
  InterruptEverywhere(schema, known, Direction::kUp, [&](int number, int point) {
    MigratorOptions options = TestOptions();
    options.on_progress = StopAt(number, point, Direction::kUp, [&] { HangUp(schema); });
    const auto run = schema.Up(known.latest(), options, known);
    if (run.ok()) return;
    const ErrorCode code = run.error().code();
    unknown += code == ErrorCode::kOutcomeUnknown ? 1 : 0;
    EXPECT_TRUE(code == ErrorCode::kUnavailable || code == ErrorCode::kOutcomeUnknown) << run.error().ToString();
  });
  // At its COMMIT each step once; the third commits twice.
  EXPECT_EQ(unknown, 4);
  EXPECT_EQ(schema.Dump(), UndisturbedDump(known));
}

TEST(MigrateInterrupted, postgres_incomplete_index_is_made_again) {
  const SchemaUnderTest schema;
  ASSERT_TRUE(schema.Up(2, TestOptions(), SmallSet()).ok());
  // CREATE INDEX CONCURRENTLY waits for whoever writes to the table.
  Session writer = schema.Connect();
  ASSERT_TRUE(writer.Execute("BEGIN; INSERT INTO things VALUES (2, 'y')").ok());
  std::thread hanging_up([&] {
    Session session = schema.Connect();
    const Deadline deadline = Deadline::After(kPatience);
    while (session.Value("SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('things_a')").value() != "1" &&
           !deadline.Expired()) {
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    HangUp(schema);
  });
  const auto broken = schema.Up(3, TestOptions(), SmallSet());
  hanging_up.join();
  EXPECT_EQ(broken.error().code(), ErrorCode::kUnavailable);
  ASSERT_EQ(schema.Connect().Value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'things_a'::regclass").value(),
            "f");
  const SchemaState state = schema.State(SmallSet());
  EXPECT_EQ(state.version, 2);
  EXPECT_EQ(schema.Records(), "1 table applied, 2 column applied, 3 index applying");
  EXPECT_THAT(CheckServable(state).error().message(), HasSubstr("step 3 (index) was interrupted"));

  ASSERT_TRUE(writer.Execute("COMMIT").ok());
  const auto resumed = schema.Up(3, TestOptions(), SmallSet());
  ASSERT_TRUE(resumed.ok()) << resumed.error().message();
  EXPECT_TRUE(resumed->steps.front().resumes);
  EXPECT_EQ(
      schema.Connect().Value("SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'things'::regclass").value(),
      "t");
  EXPECT_EQ(schema.Dump(), UndisturbedDump(SmallSet()));
}

TEST(MigrateInterrupted, postgres_unfinished_step_may_be_taken_back_too) {
  const SchemaUnderTest schema;
  const MigrationSet& known = SmallSet();
  KillRunner(schema, known, Direction::kUp, 3, 5);  // between its two indexes
  ASSERT_EQ(schema.Records(), "1 table applied, 2 column applied, 3 index applying");
  const auto down = schema.Down(2, TestOptions(), known);
  ASSERT_TRUE(down.ok()) << down.error().message();
  EXPECT_EQ(schema.Records(), "1 table applied, 2 column applied");
  EXPECT_EQ(schema.Connect().Value("SELECT count(*) FROM pg_index WHERE indrelid = 'things'::regclass").value(), "0");
}

// The server must not go on for a runner that is gone, nor keep its lock.
TEST(MigrateInterrupted, postgres_fault_killed_in_the_middle_of_a_statement) {
  const SchemaUnderTest schema;
  const MigrationSet known = MakeSet(
      {{"0001_slow.up.sql", "CREATE TABLE t (a int); SELECT pg_sleep(600);"}, {"0001_slow.down.sql", "DROP TABLE t;"}});
  const pid_t child = fork();
  if (child == 0) {
    const auto run = schema.Up(1, TestOptions(), known);
    _exit(run.ok() ? 0 : 1);
  }
  const std::string sleeping =
      "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
  const auto await = [&](const std::string& count) {
    const Deadline deadline = Deadline::After(kPatience);
    while (schema.database().Connect()->Value(sleeping).value() != count && !deadline.Expired()) {
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    EXPECT_EQ(schema.database().Connect()->Value(sleeping).value(), count);
  };
  await("1");
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  await("0");
  EXPECT_EQ(schema.State(known).version, 0);
  const auto up = schema.Up(3, TestOptions(), SmallSet());
  EXPECT_TRUE(up.ok()) << up.error().message();
}

TEST(MigrateInterrupted, postgres_failing_statement_leaves_the_steps_before_it) {
  const SchemaUnderTest schema;
  const MigrationSet known = MakeSet({{"0001_good.up.sql", "CREATE TABLE good (a int);"},
                                      {"0001_good.down.sql", "DROP TABLE good;"},
                                      {"0002_bad.up.sql", "CREATE TABLE half (a int);\n\nSELECT 1/0;"},
                                      {"0002_bad.down.sql", "DROP TABLE half;"}});
  const auto up = schema.Up(2, TestOptions(), known);
  ASSERT_FALSE(up.ok());
  EXPECT_THAT(up.error().message(), HasSubstr("0002_bad.up.sql: line 3: SELECT 1/0: division by zero"));
  EXPECT_EQ(schema.Records(), "1 good applied");
  EXPECT_EQ(schema.Connect().Value("SELECT to_regclass('half')").value(), "");
}

}  // namespace
}  // namespace holdfast::migrations
