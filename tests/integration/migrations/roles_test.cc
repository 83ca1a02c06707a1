// Who needs which rights: the role that migrates, the one that serves, the one that only looks. The GRANTs here are the
// ones that docs/operations.md shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/migrations/vacuum.h"
#include "service/migrations/value_storage.h"
#include "tests/integration/migrations/schema_under_test.h"

namespace holdfast::migrations {
namespace {

using postgres_servers::Login;
using testing::HasSubstr;

constexpr const char* kRoles = R"sql(
  CREATE ROLE migrator LOGIN PASSWORD 'm';
  CREATE ROLE app LOGIN PASSWORD 'a';
  CREATE ROLE watcher LOGIN PASSWORD 'w';
)sql";

constexpr const char* kGrants = R"sql(
  CREATE SCHEMA holdfast AUTHORIZATION migrator;
  GRANT USAGE ON SCHEMA holdfast TO app, watcher;
  ALTER DEFAULT PRIVILEGES FOR ROLE migrator IN SCHEMA holdfast
    GRANT SELECT ON TABLES TO app, watcher;
)sql";

constexpr const char* kGrantsOfTheService = R"sql(
  GRANT INSERT, UPDATE, DELETE ON entries, changes, change_state, instances TO app;
  GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA holdfast TO app;
)sql";

// Roles belong to the server, so this one is not shared.
class MigrateRoles : public testing::Test {
 protected:
  void SetUp() override {
    auto server = Server::Start();
    ASSERT_TRUE(server.ok()) << server.error().message();
    server_ = std::move(server).value();
    schema_ = std::make_unique<SchemaUnderTest>("holdfast", *server_);
    ASSERT_TRUE(schema_->database().Connect()->Execute(kRoles).ok());
    const Status granted = schema_->database().Connect()->Execute(kGrants);
    ASSERT_TRUE(granted.ok()) << granted.error().message();
  }

  Target As(const Login& login) const { return {schema_->database().Url(login), "", "holdfast"}; }
  Session Connect(const Login& login) const {
    Session session = Session::Open(schema_->database().Url(login)).value();
    EXPECT_TRUE(session.Execute("SET search_path = holdfast").ok());
    return session;
  }

  std::unique_ptr<Server> server_;
  std::unique_ptr<SchemaUnderTest> schema_;
  const Login migrator_{"migrator", "m"};
  const Login app_{"app", "a"};
  const Login watcher_{"watcher", "w"};
};

TEST_F(MigrateRoles, postgres_owner_of_the_schema_alone_can_migrate) {
  const auto up = Migrate(As(migrator_), MigrationSet::BuiltIn(), {}, TestOptions());
  ASSERT_TRUE(up.ok()) << up.error().message();
  Session session = Connect(migrator_);
  EXPECT_EQ(Maintain(session), "partitions, samples, statistics");
  const auto down = Migrate(As(migrator_), MigrationSet::BuiltIn(), {Direction::kDown, 0, true}, TestOptions());
  EXPECT_TRUE(down.ok()) << down.error().message();
}

TEST_F(MigrateRoles, postgres_service_writes_entries_and_nothing_that_is_not_its_own) {
  ASSERT_TRUE(Migrate(As(migrator_), MigrationSet::BuiltIn(), {}, TestOptions()).ok());
  ASSERT_TRUE(schema_->Connect().Execute(kGrantsOfTheService).ok());
  Session app = Connect(app_);
  EXPECT_EQ(app.Value(R"(SELECT bulk_upsert('{"\\x61"}', '{"\\x31"}'))").value(), "1");
  EXPECT_EQ(app.Value("SELECT convert_from(value, 'UTF8') FROM entries").value(), "1");
  EXPECT_EQ(Maintain(app), "partitions, samples, statistics");
  EXPECT_TRUE(ReadSchemaState(As(app_), MigrationSet::BuiltIn(), Deadline::Infinite())->current());
  for (const char* forbidden :
       {"DROP TABLE entries", "DELETE FROM schema_migrations", "DELETE FROM audit_log", "TRUNCATE entries",
        "CREATE TABLE mine (a int)", "ALTER TABLE entries ADD COLUMN mine int", "SELECT enable_transaction_log()"}) {
    const Status refused = app.Execute(forbidden);
    ASSERT_FALSE(refused.ok()) << forbidden;
    EXPECT_THAT(refused.error().message(), HasSubstr("42501")) << forbidden;
  }
  const auto up = Migrate(As(app_), MigrationSet::BuiltIn(), {Direction::kDown, 1, true}, TestOptions());
  EXPECT_FALSE(up.ok());
}

// VACUUM is for who owns the table: any other role is told of nothing to do, and leaves it to autovacuum.
TEST_F(MigrateRoles, postgres_only_the_owner_is_asked_to_vacuum) {
  ASSERT_TRUE(Migrate(As(migrator_), MigrationSet::BuiltIn(), {}, TestOptions()).ok());
  ASSERT_TRUE(schema_->Connect().Execute(kGrantsOfTheService).ok());
  Session owner = Connect(migrator_);
  MakeDeadRows(owner, 300);
  VacuumOptions options;
  options.dead_rows = 100;
  const auto as_app = Vacuum(As(app_), options);
  ASSERT_TRUE(as_app.ok()) << as_app.error().message();
  EXPECT_THAT(as_app->tables, testing::IsEmpty());
  ASSERT_TRUE(owner.Execute("UPDATE maintenance_tasks SET last_run = NULL").ok());
  const auto as_owner = Vacuum(As(migrator_), options);
  ASSERT_TRUE(as_owner.ok()) << as_owner.error().message();
  EXPECT_THAT(as_owner->tables, testing::ElementsAre("holdfast.entries"));
  EXPECT_EQ(as_owner->problem, "");
}

// A service that may not alter the table waits for who may, and finds it done.
TEST_F(MigrateRoles, postgres_only_the_owner_says_how_values_are_kept) {
  ASSERT_TRUE(Migrate(As(migrator_), MigrationSet::BuiltIn(), {}, TestOptions()).ok());
  ASSERT_TRUE(schema_->Connect().Execute(kGrantsOfTheService).ok());
  const ValueStorage wanted{ValueCompression::kLz4, 4096};
  const auto as_app = ApplyValueStorage(As(app_), wanted, {});
  ASSERT_FALSE(as_app.ok());
  EXPECT_EQ(as_app.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(as_app.error().message(), HasSubstr("belongs to migrator, and app may not alter it"));
  const auto as_owner = ApplyValueStorage(As(migrator_), wanted, {});
  ASSERT_TRUE(as_owner.ok()) << as_owner.error().message();
  EXPECT_TRUE(*as_owner);
  const auto again = ApplyValueStorage(As(app_), wanted, {});
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_FALSE(*again);
}

TEST_F(MigrateRoles, postgres_a_reader_sees_the_state) {
  ASSERT_TRUE(Migrate(As(migrator_), MigrationSet::BuiltIn(), {}, TestOptions()).ok());
  const auto state = ReadSchemaState(As(watcher_), MigrationSet::BuiltIn(), Deadline::Infinite());
  ASSERT_TRUE(state.ok()) << state.error().message();
  EXPECT_TRUE(state->current());
}

// Functions that run with their owner's rights must not be led to a caller's own tables.
TEST_F(MigrateRoles, postgres_temporary_tables_of_a_caller_stand_in_front_of_nothing) {
  ASSERT_TRUE(Migrate(As(migrator_), MigrationSet::BuiltIn(), {}, TestOptions()).ok());
  Session app = Connect(app_);
  ASSERT_TRUE(app.Execute("CREATE TEMP TABLE partition_policies (parent text, period text, ahead int, keep interval); "
                          "INSERT INTO partition_policies VALUES ('entries', 'day', 1, '1 day')")
                  .ok());
  const auto maintained =
      app.Query("SELECT partition_name FROM maintain_partitions(clock_timestamp() + interval '1 day')");
  ASSERT_TRUE(maintained.ok()) << maintained.error().message();
  for (const auto& row : maintained->rows) EXPECT_THAT(*row[0], testing::Not(HasSubstr("entries")));
  EXPECT_FALSE(maintained->rows.empty());
}

}  // namespace
}  // namespace holdfast::migrations
