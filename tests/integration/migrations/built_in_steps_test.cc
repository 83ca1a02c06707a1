// What the built-in steps put into a schema, used as docs/operations.md says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/migrations/schema_under_test.h"

namespace holdfast::migrations {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class BuiltInSteps : public testing::Test {
 protected:
  void SetUp() override {
    const auto up = schema_.Up();
    ASSERT_TRUE(up.ok()) << up.error().message();
  }

  // The first column of every row.
  std::vector<std::string> Column(const std::string& sql) {
    const auto answer = session_.Query(sql);
    std::vector<std::string> values;
    if (!answer.ok()) return {answer.error().message()};
    for (const auto& row : answer->rows) values.push_back(row[0].value_or("null"));
    return values;
  }
  std::string Value(const std::string& sql) {
    const auto value = session_.Value(sql);
    return value.ok() ? *value : value.error().message();
  }
  void Put(const std::string& keys, const std::string& values, const std::string& ttl = "NULL") {
    const Status put = session_.Execute("SELECT bulk_upsert(ARRAY[" + keys + "]::bytea[], ARRAY[" + values +
                                        "]::bytea[], " + ttl + ")");
    EXPECT_TRUE(put.ok()) << put.error().message();
  }

  SchemaUnderTest schema_;
  Session session_ = schema_.Connect();
};

TEST_F(BuiltInSteps, postgres_bulk_upsert_takes_the_last_of_a_key_and_raises_versions) {
  Put("'a', 'b', 'a'", "'1', '2', '3'");
  EXPECT_THAT(Column("SELECT convert_from(key || '=' || value, 'UTF8') FROM entries ORDER BY key"),
              ElementsAre("a=3", "b=2"));
  const std::string before = Value("SELECT version FROM entries WHERE key = 'a'");
  Put("'a'", "'4'", "interval '1 hour'");
  EXPECT_EQ(Value("SELECT version > " + before + " AND expires_at > updated_at FROM entries WHERE key = 'a'"), "t");
  EXPECT_THAT(Value("SELECT bulk_upsert('{a}', '{}')"), HasSubstr("1 keys and 0 values"));
  EXPECT_EQ(Value("SELECT bulk_upsert('{}', '{}')"), "0");
  // More than one block of versions.
  EXPECT_EQ(
      Value("SELECT bulk_upsert(array_agg(n::text::bytea), array_agg('x'::bytea)) FROM generate_series(1, 25000) n"),
      "25000");
  EXPECT_EQ(Value("SELECT count(DISTINCT version) FROM entries WHERE value = 'x'"), "25000");
}

// Known as empty, the table was read from end to end for every key: 25,000 of them took 45 s instead of one.
TEST_F(BuiltInSteps, postgres_a_new_table_is_not_known_as_empty) {
  EXPECT_EQ(Value("SELECT reltuples FROM pg_class WHERE oid = 'entries'::regclass"), "-1");
}

TEST_F(BuiltInSteps, postgres_writers_in_sql_are_heard_of_by_services) {
  ASSERT_TRUE(session_.Execute("SELECT join_instances('a service')").ok());
  Put("'a'", "'1'");
  EXPECT_EQ(Value("SELECT convert_from(key || after_value, 'UTF8') FROM changes"), "a1");
  EXPECT_EQ(Value("SELECT string_agg(name, ',') FROM instances"), "a service");
}

TEST_F(BuiltInSteps, postgres_compare_and_swap_knows_versions_absence_and_expiry) {
  EXPECT_NE(Value("SELECT compare_and_swap('k', NULL, 'one')"), "");
  EXPECT_EQ(Value("SELECT compare_and_swap('k', NULL, 'two')"), "");
  const std::string version = Value("SELECT version FROM entries WHERE key = 'k'");
  EXPECT_EQ(Value("SELECT compare_and_swap('k', " + version + " + 1, 'three')"), "");
  const std::string swapped = Value("SELECT compare_and_swap('k', " + version + ", 'four')");
  EXPECT_EQ(Value("SELECT version || ' ' || convert_from(value, 'UTF8') FROM entries"), swapped + " four");
  ASSERT_TRUE(session_.Execute("UPDATE entries SET expires_at = 1").ok());
  EXPECT_EQ(Value("SELECT compare_and_swap('k', " + swapped + ", 'five')"), "");
  EXPECT_NE(Value("SELECT compare_and_swap('k', NULL, 'six')"), "");
}

TEST_F(BuiltInSteps, postgres_clean_expired_removes_what_has_expired_and_nothing_else) {
  Put("'a', 'b', 'c', 'd'", "'1', '1', '1', '1'");
  Put("'later'", "'1'", "interval '1 hour'");
  ASSERT_TRUE(session_.Execute("UPDATE entries SET expires_at = 5 WHERE key IN ('a', 'b', 'c')").ok());
  EXPECT_EQ(Value("SELECT clean_expired(2)"), "2");
  EXPECT_EQ(Value("SELECT clean_expired()"), "1");
  EXPECT_EQ(Value("SELECT clean_expired()"), "0");
  EXPECT_THAT(Column("SELECT convert_from(key, 'UTF8') FROM entries ORDER BY key"), ElementsAre("d", "later"));
  EXPECT_THAT(Value("SELECT clean_expired(0)"), HasSubstr("p_limit is 0"));
}

TEST_F(BuiltInSteps, postgres_prefix_pages_by_key) {
  Put("'a/1', 'a/2', 'a/3', 'a0', 'b'", "'1', '2', '3', '4', '5'");
  Put(R"('\xff01', '\xffff')", "'6', '7'");
  EXPECT_THAT(Column("SELECT convert_from(key, 'UTF8') FROM prefix_page('a/')"), ElementsAre("a/1", "a/2", "a/3"));
  EXPECT_THAT(Column("SELECT convert_from(key, 'UTF8') FROM prefix_page('a/', 'a/1', 1)"), ElementsAre("a/2"));
  EXPECT_THAT(Column(R"(SELECT key FROM prefix_page('\xff'))"), ElementsAre("\\xff01", "\\xffff"));
  EXPECT_EQ(Value("SELECT count(*) FROM prefix_page('')"), "7");
  ASSERT_TRUE(session_.Execute("UPDATE entries SET expires_at = 5 WHERE key = 'a/2'").ok());
  EXPECT_THAT(Column("SELECT convert_from(key, 'UTF8') FROM prefix_page('a/')"), ElementsAre("a/1", "a/3"));
  EXPECT_EQ(Value("SELECT entries || ' ' || expired FROM entry_statistics()"), "7 1");
}

TEST_F(BuiltInSteps, postgres_transaction_log_is_off_until_it_is_switched_on) {
  Put("'before'", "'1'");
  EXPECT_EQ(Value("SELECT count(*) FROM transaction_log"), "0");
  ASSERT_TRUE(session_.Execute("SELECT enable_transaction_log()").ok());
  Put("'k', 'l'", "'1', '1'");
  Put("'k'", "'2'");
  ASSERT_TRUE(session_.Execute("DELETE FROM entries WHERE key = 'l'").ok());
  EXPECT_THAT(Column("SELECT action || ' ' || convert_from(key, 'UTF8') || ' ' || (old_version IS NOT NULL) || ' ' || "
                     "(new_version IS NOT NULL) FROM transaction_log ORDER BY at, key"),
              ElementsAre("insert k false true", "insert l false true", "update k true true", "delete l true false"));
  EXPECT_EQ(Value("SELECT count(DISTINCT transaction_id) FROM transaction_log"), "3");
  EXPECT_EQ(Value("SELECT bool_and(new_value = sha256('2')) FROM transaction_log WHERE action = 'update'"), "t");
  ASSERT_TRUE(session_.Execute("SELECT disable_transaction_log()").ok());
  Put("'k'", "'3'");
  EXPECT_EQ(Value("SELECT count(*) FROM transaction_log"), "4");
}

TEST_F(BuiltInSteps, postgres_audit_log_holds_migrations_and_a_table_emptied) {
  ASSERT_TRUE(session_.Execute("TRUNCATE entries").ok());
  const int latest = MigrationSet::BuiltIn().latest();
  ASSERT_TRUE(schema_.Down(latest - 1).ok());
  const auto rows = Column(
      "SELECT action || ' ' || subject || ' by ' || actor FROM audit_log WHERE action <> 'migration reverting' "
      "ORDER BY at DESC LIMIT 2");
  EXPECT_THAT(rows,
              ElementsAre(HasSubstr("migration reverted " + std::to_string(latest)), "truncate entries by postgres"));
}

// Rows of an older schema are carried over, and what clients gave stays as it was in both directions.
TEST_F(BuiltInSteps, postgres_metadata_and_tags_become_jsonb_beside_their_bytes) {
  constexpr int kBefore = 15;
  ASSERT_TRUE(schema_.Down(kBefore).ok());
  Put("'both', 'none', 'metadata', 'odd', 'tags', 'wrong'", "'1', '1', '1', '1', '1', '1'");
  ASSERT_TRUE(session_
                  .Execute(R"(UPDATE entries e SET metadata = m.metadata, tags = m.tags FROM (VALUES
                    ('both'::bytea, '{"b":1.50, "a":"x"}'::bytea, '{eu,us}'::bytea[]), ('metadata', '{}', NULL),
                    ('odd', '{"n":1e2,"a":[true]}', '{eu}'), ('tags', NULL, '{"\\x6575"}'), ('wrong', '{', '{"\\xff"}')
                    ) m(key, metadata, tags) WHERE m.key = e.key)")
                  .ok());
  const std::string bytes = "SELECT md5(string_agg(e.key || e.metadata || e.tags::text::bytea, '')) FROM entries e";
  const std::string before = Value(bytes);
  ASSERT_TRUE(schema_.Up().ok());
  EXPECT_THAT(
      Column("SELECT convert_from(key, 'UTF8') || ' ' || attributes FROM entries WHERE attributes IS NOT NULL "
             "ORDER BY key"),
      ElementsAre(R"(both {"tags": ["eu", "us"], "metadata": {"a": "x", "b": 1.50}})", R"(metadata {"metadata": {}})",
                  R"(odd {"unclear": true})", R"(tags {"tags": ["eu"]})", R"(wrong {"unclear": true})"));
  EXPECT_EQ(Value(bytes), before);
  ASSERT_TRUE(schema_.Down(kBefore).ok());
  EXPECT_EQ(Value(bytes), before);
}

// Time is given, so that years pass in a test.
TEST_F(BuiltInSteps, postgres_partitions_are_made_ahead_and_dropped_when_they_are_old) {
  ASSERT_TRUE(session_.Execute("DELETE FROM partition_policies WHERE parent <> 'transaction_log'").ok());
  const auto partitions = [&] {
    return Column(
        "SELECT relname FROM pg_class WHERE relname ~ '^transaction_log_2' AND relkind = 'r' "
        "AND relname LIKE 'transaction_log_2031%' ORDER BY 1");
  };
  EXPECT_EQ(Value("SELECT count(*) FROM maintain_partitions('2031-01-30 12:00+00') WHERE action = 'made'"), "4");
  EXPECT_THAT(partitions(), ElementsAre("transaction_log_20310130", "transaction_log_20310131",
                                        "transaction_log_20310201", "transaction_log_20310202"));
  EXPECT_EQ(Value("SELECT count(*) FROM maintain_partitions('2031-01-30 12:00+00')"), "0");
  // A row goes where its time is.
  const std::string insert = "INSERT INTO transaction_log (at, action, key) VALUES ";
  ASSERT_TRUE(session_.Execute(insert + "('2031-01-31 23:59:59+00', 'insert', 'k')").ok());
  EXPECT_EQ(Value("SELECT count(*) FROM transaction_log_20310131"), "1");
  // Without maintenance for a week rows collect in the default partition, and find their place then.
  ASSERT_TRUE(session_.Execute(insert + "('2031-02-05 10:00+00', 'insert', 'late')").ok());
  EXPECT_EQ(Value("SELECT count(*) FROM transaction_log_default"), "1");
  ASSERT_TRUE(session_.Execute("SELECT maintain_partitions('2031-02-08 00:00+00')").ok());
  EXPECT_EQ(Value("SELECT count(*) FROM transaction_log_default"), "0");
  EXPECT_EQ(Value("SELECT count(*) FROM transaction_log_20310205"), "1");
  EXPECT_THAT(partitions(),
              ElementsAre("transaction_log_20310201", "transaction_log_20310202", "transaction_log_20310205",
                          "transaction_log_20310206", "transaction_log_20310207", "transaction_log_20310208",
                          "transaction_log_20310209", "transaction_log_20310210", "transaction_log_20310211"));
  EXPECT_EQ(Value("SELECT count(*) > 0 FROM audit_log WHERE action = 'partition dropped'"), "t");
}

// Somebody reads: the run postpones and does not stand in the way; the next one does it.
TEST_F(BuiltInSteps, postgres_partition_maintenance_gives_way) {
  Session reader = schema_.Connect();
  ASSERT_TRUE(reader.Execute("BEGIN; SELECT count(*) FROM transaction_log").ok());
  EXPECT_EQ(Value("SELECT count(*) > 0 FROM maintain_partitions(clock_timestamp() + interval '20 days') "
                  "WHERE action = 'postponed'"),
            "t");
  ASSERT_TRUE(reader.Execute("COMMIT").ok());
  EXPECT_EQ(Value("SELECT count(*) FROM maintain_partitions(clock_timestamp() + interval '20 days') "
                  "WHERE action = 'postponed'"),
            "0");
  // Two at once: one of them returns without a word.
  ASSERT_TRUE(reader.Execute("BEGIN; SELECT maintain_partitions()").ok());
  EXPECT_EQ(Value("SELECT count(*) FROM maintain_partitions(clock_timestamp() + interval '40 days')"), "0");
}

TEST_F(BuiltInSteps, postgres_key_space_statistics_tell_tenants_apart) {
  Put(R"('main\000ac\000kone', 'main\000ac\000ktwo', 'main\000bb\000lx', 'loose')", "'1', '22', '333', '4444'");
  EXPECT_THAT(Value("SELECT count(*) FROM key_space_statistics"), HasSubstr("has not been populated"));
  for (int round = 0; round < 2; ++round) {  // the first one fills, the next ones replace
    const Status refreshed = session_.Execute("SELECT refresh_statistics()");
    ASSERT_TRUE(refreshed.ok()) << refreshed.error().message();
    EXPECT_THAT(Column("SELECT store || '|' || name_space || '|' || room || '|' || entries || '|' || value_bytes "
                       "FROM key_space_statistics ORDER BY 1"),
                ElementsAre("main|ac|k|2|3", "main|bb|l|1|3", "|||1|4"));
  }
}

TEST_F(BuiltInSteps, postgres_maintain_does_what_is_due_and_keeps_failures_apart) {
  EXPECT_EQ(Maintain(session_), "partitions, samples, statistics");
  EXPECT_EQ(Maintain(session_), "");
  EXPECT_EQ(Value("SELECT count(*) > 5 FROM monitoring_samples"), "t");
  EXPECT_EQ(Value("SELECT value > 0 FROM monitoring_samples WHERE metric = 'database_bytes'"), "t");
  ASSERT_TRUE(session_
                  .Execute("UPDATE maintenance_tasks SET last_run = NULL; "
                           "INSERT INTO maintenance_tasks (task, every) VALUES ('nonsense', '1 hour'); "
                           "UPDATE maintenance_tasks SET every = NULL WHERE task = 'statistics'")
                  .ok());
  EXPECT_EQ(Maintain(session_), "nonsense: there is no task of this name, partitions, samples");
  // One that fails is not asked for again at once.
  EXPECT_EQ(Maintain(session_), "");
}

TEST_F(BuiltInSteps, postgres_constraints_hold) {
  EXPECT_THAT(Value("INSERT INTO entries (key, version, created_at, updated_at, value) VALUES ('', 1, 1, 1, '')"),
              HasSubstr("entries_key_size"));
  EXPECT_THAT(Value("INSERT INTO entries (key, version, created_at, updated_at, value) VALUES ('k', 0, 1, 1, '')"),
              HasSubstr("entries_version_positive"));
  EXPECT_EQ(
      Value("SELECT count(*) FROM pg_constraint WHERE connamespace = 'holdfast'::regnamespace AND NOT convalidated"),
      "0");
}

}  // namespace
}  // namespace holdfast::migrations
