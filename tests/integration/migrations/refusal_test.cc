// What is not migrated and not served, and why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/integration/migrations/schema_under_test.h"
#include "tests/postgres/pgbouncer.h"

namespace holdfast::migrations {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Files = std::vector<std::pair<std::string, std::string>>;

const Files kTwoSteps = {{"0001_one.up.sql", "CREATE TABLE one (a int);"},
                         {"0001_one.down.sql", "DROP TABLE one;"},
                         {"0002_two.up.sql", "CREATE TABLE two (a int);"},
                         {"0002_two.down.sql", "DROP TABLE two;"}};

void ExpectRefused(const SchemaUnderTest& schema, const MigrationSet& known, const std::string& reason) {
  EXPECT_THAT(schema.State(known).problems, ElementsAre(HasSubstr(reason)));
  const Status served = CheckServable(schema.State(known));
  ASSERT_FALSE(served.ok());
  EXPECT_EQ(served.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(served.error().message(), HasSubstr(reason));
  for (const auto& run : {schema.Up(known.latest(), TestOptions(), known), schema.Down(0, TestOptions(), known)}) {
    ASSERT_FALSE(run.ok());
    EXPECT_EQ(run.error().code(), ErrorCode::kFailedPrecondition);
    EXPECT_THAT(run.error().message(), HasSubstr(reason));
  }
}

TEST(MigrateRefused, postgres_file_that_was_changed_after_it_was_applied) {
  const SchemaUnderTest schema;
  ASSERT_TRUE(schema.Up(2, TestOptions(), MakeSet(kTwoSteps)).ok());
  Files changed = kTwoSteps;
  changed[2].second += " -- once more";
  ExpectRefused(schema, MakeSet(changed), "0002_two.up.sql was changed after it was applied");
  changed = kTwoSteps;
  changed[1].second = "DROP TABLE one CASCADE;";
  ExpectRefused(schema, MakeSet(changed), "0001_one.down.sql was changed after it was applied");
  // Untouched, it goes on as before.
  EXPECT_TRUE(schema.State(MakeSet(kTwoSteps)).current());
}

TEST(MigrateRefused, postgres_step_of_another_name) {
  const SchemaUnderTest schema;
  ASSERT_TRUE(schema.Up(2, TestOptions(), MakeSet(kTwoSteps)).ok());
  Files renamed = kTwoSteps;
  renamed[2].first = "0002_zwei.up.sql";
  renamed[3].first = "0002_zwei.down.sql";
  ExpectRefused(schema, MakeSet(renamed), "step 2 was applied as \"two\" and is called \"zwei\" here");
}

TEST(MigrateRefused, postgres_schema_newer_than_the_binary) {
  const SchemaUnderTest schema;
  ASSERT_TRUE(schema.Up(2, TestOptions(), MakeSet(kTwoSteps)).ok());
  const MigrationSet older = MakeSet({kTwoSteps[0], kTwoSteps[1]});
  ExpectRefused(schema, older, "the schema is newer than this binary: step 2 (two, applied by 0.0-test)");
}

TEST(MigrateRefused, postgres_record_that_somebody_took_out) {
  const SchemaUnderTest schema;
  const MigrationSet known = MakeSet(kTwoSteps);
  ASSERT_TRUE(schema.Up(2, TestOptions(), known).ok());
  ASSERT_TRUE(schema.Connect().Execute("DELETE FROM schema_migrations WHERE number = 1").ok());
  ExpectRefused(schema, known, "step 2 is applied and step 1 in front of it is not");
}

TEST(MigrateRefused, postgres_service_on_an_older_schema) {
  const SchemaUnderTest schema;
  ASSERT_TRUE(schema.Up(2).ok());
  const Status served = CheckServable(schema.State());
  ASSERT_FALSE(served.ok());
  EXPECT_THAT(served.error().message(), HasSubstr("it is at step 2 and this binary needs"));
  EXPECT_THAT(served.error().message(), HasSubstr("run: holdfast migrate up"));
}

TEST(MigrateRefused, postgres_goals_that_make_no_sense) {
  const SchemaUnderTest schema;
  const MigrationSet known = MakeSet(kTwoSteps);
  ASSERT_TRUE(schema.Up(1, TestOptions(), known).ok());
  const auto run = [&](const Goal& goal) { return Migrate(schema.target(), known, goal, TestOptions()).error(); };
  EXPECT_THAT(run({Direction::kUp, 3, false}).message(), HasSubstr("there is no step 3; the steps are 1 to 2"));
  EXPECT_THAT(run({Direction::kUp, 0, false}).message(), HasSubstr("to go back: holdfast migrate down --to 0"));
  EXPECT_THAT(run({Direction::kDown, 2, false}).message(), HasSubstr("to go on: holdfast migrate up --to 2"));
  EXPECT_THAT(run({Direction::kDown, std::nullopt, false}).message(), HasSubstr("down needs --to N"));
}

TEST(MigrateRefused, postgres_pooler_is_no_server) {
  const SchemaUnderTest schema;
  ASSERT_TRUE(schema.Up().ok());
  auto pooler = postgres_servers::PgBouncer::Start(schema.database().server());
  ASSERT_TRUE(pooler.ok()) << pooler.error().message();
  const Target target{(*pooler)->Url(schema.database().name()), "", schema.schema()};
  const auto run = Migrate(target, MigrationSet::BuiltIn(), {Direction::kDown, 0, true}, TestOptions());
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(run.error().message(), HasSubstr("the connection goes through a pooler"));
  // Reading what there is needs no session.
  const auto state = ReadSchemaState(target, MigrationSet::BuiltIn(), Deadline::Infinite());
  ASSERT_TRUE(state.ok()) << state.error().message();
  EXPECT_TRUE(state->current());
}

TEST(MigrateRefused, postgres_replica_takes_no_migration_and_tells_its_state) {
  auto primary = Server::Start();
  ASSERT_TRUE(primary.ok()) << primary.error().message();
  const SchemaUnderTest schema("holdfast", **primary);
  ASSERT_TRUE(schema.Up(2).ok());
  auto replica = Server::StartReplica(**primary);
  ASSERT_TRUE(replica.ok()) << replica.error().message();
  const Target target{(*replica)->Url(schema.database().name()), "", schema.schema()};
  const auto run = Migrate(target, MigrationSet::BuiltIn(), {}, TestOptions());
  ASSERT_FALSE(run.ok());
  EXPECT_THAT(run.error().message(), HasSubstr("hot standby mode"));
  EXPECT_EQ(ReadSchemaState(target, MigrationSet::BuiltIn(), Deadline::Infinite())->version, 2);
}

TEST(MigrateRefused, postgres_errors_never_hold_the_password) {
  const FreshDatabase database;
  for (const std::string& url :
       {std::string("postgresql://me:hunter2@127.0.0.1:1/db"), std::string("postgresql://me:hunter2@[::1/db"),
        std::string("postgres//me:hunter2@host"), database.Url({"postgres", "hunter2"}),
        std::string("host=127.0.0.1 password='hunter2")}) {
    const auto state =
        ReadSchemaState({url, "", "holdfast"}, MigrationSet::BuiltIn(), Deadline::After(std::chrono::seconds{10}));
    ASSERT_FALSE(state.ok());
    EXPECT_EQ(state.error().message().find("hunter2"), std::string::npos) << state.error().message();
  }
  // One that is given beside the url counts.
  std::string url = database.Url();
  url.replace(url.find(postgres_servers::kPassword), std::string(postgres_servers::kPassword).size(), "wrong");
  const auto state = ReadSchemaState({url, postgres_servers::kPassword, "holdfast"}, MigrationSet::BuiltIn(),
                                     Deadline::After(std::chrono::seconds{30}));
  EXPECT_TRUE(state.ok()) << state.error().message();
}

TEST(MigrateRefused, postgres_errors_quote_nothing_that_clients_stored) {
  const SchemaUnderTest schema;
  const MigrationSet known = MakeSet({{"0001_rows.up.sql", "CREATE TABLE t (a text);"},
                                      {"0001_rows.down.sql", "DROP TABLE t;"},
                                      {"0002_unique.up.sql", "CREATE UNIQUE INDEX t_a ON t (a);"},
                                      {"0002_unique.down.sql", "DROP INDEX t_a;"}});
  ASSERT_TRUE(schema.Up(1, TestOptions(), known).ok());
  ASSERT_TRUE(schema.Connect().Execute("INSERT INTO t VALUES ('a secret'), ('a secret')").ok());
  const auto run = schema.Up(2, TestOptions(), known);
  ASSERT_FALSE(run.ok());
  EXPECT_THAT(run.error().message(), HasSubstr("could not create unique index \"t_a\""));
  EXPECT_THAT(run.error().message(), testing::Not(HasSubstr("secret")));
}

// A server that does not answer must not hold a service's start for ever.
TEST(MigrateRefused, postgres_frozen_server_costs_the_deadline_and_no_more) {
  auto server = Server::Start();
  ASSERT_TRUE(server.ok()) << server.error().message();
  const Target target{(*server)->Url(), "", "holdfast"};
  (*server)->Freeze();
  const auto state = ReadSchemaState(target, MigrationSet::BuiltIn(), Deadline::After(std::chrono::milliseconds{100}));
  EXPECT_FALSE(state.ok());
}

TEST(MigrateRefused, files_of_a_folder_are_read_as_the_built_in_ones) {
  std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-migrations-XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  const std::filesystem::path folder = pattern;
  EXPECT_THAT(MigrationSet::FromFolder(folder).error().message(), HasSubstr("it holds no *.sql file"));
  for (const auto& [name, text] : kTwoSteps) std::ofstream(folder / name) << text;
  std::ofstream(folder / "README.md") << "about them";
  const auto read = MigrationSet::FromFolder(folder);
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->latest(), 2);
  EXPECT_EQ(read->at(2).up.checksum, MakeSet(kTwoSteps).at(2).up.checksum);
  EXPECT_THAT(MigrationSet::FromFolder(folder / "absent").error().message(), HasSubstr("absent"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace holdfast::migrations
