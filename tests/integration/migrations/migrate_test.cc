// Up, down and up again, on the steps the binary holds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/migrations/schema_under_test.h"

namespace holdfast::migrations {
namespace {

using testing::HasSubstr;

TEST(Migrate, postgres_empty_to_latest_and_nothing_more_to_do) {
  const SchemaUnderTest schema;
  EXPECT_FALSE(CheckServable(schema.State()).ok());
  const auto migrated = schema.Up();
  ASSERT_TRUE(migrated.ok()) << migrated.error().message();
  EXPECT_EQ(migrated->from, 0);
  EXPECT_EQ(migrated->to, MigrationSet::BuiltIn().latest());
  const SchemaState state = schema.State();
  EXPECT_TRUE(state.current());
  EXPECT_TRUE(CheckServable(state).ok());
  EXPECT_EQ(state.records.front().name, "entries");
  EXPECT_EQ(state.records.front().applied_by, "0.0-test");
  const auto again = schema.Up();
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->steps.empty());
}

TEST(Migrate, postgres_up_down_up_leaves_the_same_schema) {
  const SchemaUnderTest schema;
  ASSERT_TRUE(schema.Up().ok());
  const std::string dump = schema.Dump();
  const auto down = schema.Down(0);
  ASSERT_TRUE(down.ok()) << down.error().message();
  EXPECT_EQ(schema.State().version, 0);
  // Nothing stays but the records' own table.
  EXPECT_EQ(schema.Connect()
                .Value("SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = "
                       "'holdfast'::regnamespace")
                .value(),
            "schema_migrations,schema_migrations_pkey");
  EXPECT_EQ(
      schema.Connect().Value("SELECT count(*) FROM pg_proc WHERE pronamespace = 'holdfast'::regnamespace").value(),
      "0");
  ASSERT_TRUE(schema.Up().ok());
  EXPECT_EQ(schema.Dump(), dump);
}

// Each step on its own: it does something, and its down file undoes that and no more.
TEST(Migrate, postgres_every_step_down_leaves_the_schema_of_the_step_before) {
  const SchemaUnderTest schema;
  const int latest = MigrationSet::BuiltIn().latest();
  std::vector<std::string> dumps{""};
  for (int number = 1; number <= latest; ++number) {
    const auto up = schema.Up(number);
    ASSERT_TRUE(up.ok()) << up.error().message();
    dumps.push_back(schema.Dump());
    EXPECT_NE(dumps.back(), dumps[dumps.size() - 2]) << "step " << number << " does nothing";
  }
  for (int number = latest - 1; number >= 1; --number) {
    const auto down = schema.Down(number);
    ASSERT_TRUE(down.ok()) << down.error().message();
    EXPECT_EQ(schema.Dump(), dumps[static_cast<std::size_t>(number)]) << "down to " << number;
  }
}

TEST(Migrate, postgres_keeps_what_is_stored_over_all_steps_but_the_first) {
  const SchemaUnderTest schema;
  ASSERT_TRUE(schema.Up().ok());
  ASSERT_EQ(schema.Connect().Value(R"(SELECT bulk_upsert('{"\\x61","\\x62"}', '{"\\x31","\\x32"}'))").value(), "2");
  ASSERT_TRUE(schema.Down(1).ok());
  ASSERT_TRUE(schema.Up().ok());
  EXPECT_EQ(schema.Connect()
                .Value("SELECT string_agg(convert_from(key || value, 'UTF8'), ',' ORDER BY key) "
                       "FROM entries")
                .value(),
            "a1,b2");
}

TEST(Migrate, postgres_down_asks_before_it_destroys_what_clients_stored) {
  const SchemaUnderTest schema;
  ASSERT_TRUE(schema.Up().ok());
  const auto down = Migrate(schema.target(), MigrationSet::BuiltIn(), {Direction::kDown, 0, false}, TestOptions());
  ASSERT_FALSE(down.ok());
  EXPECT_EQ(down.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(down.error().message(), HasSubstr("0001_entries.down.sql destroys what clients stored"));
  EXPECT_TRUE(schema.State().current());
}

TEST(Migrate, postgres_schema_names_may_hold_anything) {
  for (const std::string name : {"Two Words", "quote\"d", "it's", "semi;colon, $$ \\ %s", "\xc3\xa4-\xe2\x82\xac"}) {
    const SchemaUnderTest schema(name);
    const auto up = schema.Up();
    ASSERT_TRUE(up.ok()) << name << ": " << up.error().message();
    EXPECT_TRUE(schema.State().current()) << name;
    // Nothing beside it.
    EXPECT_EQ(schema.database()
                  .Connect()
                  ->Value("SELECT count(*) FROM pg_class WHERE relnamespace = "
                          "'public'::regnamespace")
                  .value(),
              "0");
    Session session = schema.Connect();
    EXPECT_EQ(Maintain(session), "partitions, samples, statistics") << name;
    ASSERT_TRUE(schema.Down(0).ok()) << name;
  }
  EXPECT_FALSE(ValidateSchemaName("").ok());
  EXPECT_FALSE(ValidateSchemaName("pg_mine").ok());
  EXPECT_FALSE(ValidateSchemaName(std::string(64, 'x')).ok());
}

TEST(Migrate, postgres_two_schemas_of_one_database_know_nothing_of_each_other) {
  const SchemaUnderTest one("one");
  ASSERT_TRUE(one.Up().ok());
  const Target other{one.database().Url(), "", "other"};
  const auto up = Migrate(other, MigrationSet::BuiltIn(), {Direction::kUp, 3, false}, TestOptions());
  ASSERT_TRUE(up.ok()) << up.error().message();
  EXPECT_TRUE(one.State().current());
  EXPECT_EQ(ReadSchemaState(other, MigrationSet::BuiltIn(), Deadline::Infinite())->version, 3);
}

TEST(Migrate, postgres_over_tcp_and_tls) {
  for (Server* server : {&postgres_servers::SharedServer(), &postgres_servers::SharedTlsServer()}) {
    const FreshDatabase database(*server);
    const Target target{database.Url(), "", "holdfast"};
    const auto up = Migrate(target, MigrationSet::BuiltIn(), {}, TestOptions());
    ASSERT_TRUE(up.ok()) << up.error().message();
    EXPECT_TRUE(ReadSchemaState(target, MigrationSet::BuiltIn(), Deadline::Infinite())->current());
  }
}

}  // namespace
}  // namespace holdfast::migrations
