#include "tests/integration/migrations/schema_under_test.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace holdfast::migrations {
namespace {

template <typename T>
T OrAbort(Result<T> result) {
  if (result.ok()) return std::move(result).value();
  fmt::print(stderr, "{}\n", result.error().ToString());
  std::abort();
}

}  // namespace

MigratorOptions TestOptions() {
  MigratorOptions options;
  options.lock_timeout = std::chrono::milliseconds{500};
  options.lock_pause = std::chrono::milliseconds{10};
  options.runner_wait = std::chrono::seconds{60};
  options.release = "0.0-test";
  return options;
}

SchemaUnderTest::SchemaUnderTest(std::string schema, Server& server) : database_(server), schema_(std::move(schema)) {}

Result<Migrated> SchemaUnderTest::Up(int to, const MigratorOptions& options, const MigrationSet& known) const {
  return Migrate(target(), known, {Direction::kUp, to, false}, options);
}

Result<Migrated> SchemaUnderTest::Down(int to, const MigratorOptions& options, const MigrationSet& known) const {
  return Migrate(target(), known, {Direction::kDown, to, true}, options);
}

SchemaState SchemaUnderTest::State(const MigrationSet& known) const {
  return OrAbort(ReadSchemaState(target(), known, Deadline::After(std::chrono::seconds{30})));
}

Session SchemaUnderTest::Connect() const {
  Session session = OrAbort(database_.Connect());
  const Status set = session.Execute("SET search_path = " + QuotedName(schema_));
  EXPECT_TRUE(set.ok()) << set.error().message();
  return session;
}

std::string SchemaUnderTest::Dump() const {
  const std::string command = fmt::format(
      "{} --schema-only --restrict-key=test '{}' "
      "2>&1",
      postgres_servers::PostgresProgram("pg_dump"), database_.server().SocketUrl(database_.name()));
  FILE* output = popen(command.c_str(), "r");
  if (output == nullptr) return "pg_dump could not be started";
  std::string text;
  char buffer[4096];
  for (std::size_t got = 0; (got = fread(buffer, 1, sizeof buffer, output)) > 0;) text.append(buffer, got);
  EXPECT_EQ(pclose(output), 0) << text;
  return text;
}

std::string SchemaUnderTest::Records() const {
  return OrAbort(
      Connect().Value("SELECT string_agg(number || ' ' || name || ' ' || state, ', ' ORDER BY number) "
                      "FROM schema_migrations"));
}

std::string Maintain(Session& session) {
  std::string done;
  while (true) {
    const std::string task = OrAbort(session.Value("SELECT task || coalesce(': ' || problem, '') FROM maintain()"));
    if (task.empty()) return done;
    if (!done.empty()) done += ", ";
    done += task;
  }
}

void MakeDeadRows(Session& session, int rows) {
  for (const std::string& sql :
       {std::string("ALTER TABLE entries SET (autovacuum_enabled = off)"),
        fmt::format("INSERT INTO entries (key, version, created_at, updated_at, value) "
                    "SELECT ('dead' || n)::bytea, 1, 1, 1, '' FROM generate_series(1, {}) n",
                    rows),
        std::string("DELETE FROM entries WHERE version = 1"), std::string("SELECT pg_stat_force_next_flush()")}) {
    OrAbort(session.Query(sql));
  }
}

MigrationSet MakeSet(const std::vector<std::pair<std::string, std::string>>& files) {
  std::vector<SourceFile> sources;
  for (const auto& [name, text] : files) sources.push_back({name, text});
  return OrAbort(MigrationSet::Make(sources));
}

const MigrationSet& SmallSet() {
  static const MigrationSet set = MakeSet({
      {"0001_table.up.sql", "CREATE TABLE things (a int);\nCREATE TABLE others (b int);"},
      {"0001_table.down.sql", "DROP TABLE others;\nDROP TABLE things;"},
      {"0002_column.up.sql", "ALTER TABLE things ADD COLUMN c text;\nINSERT INTO things VALUES (1, 'x;y');"},
      {"0002_column.down.sql", "DELETE FROM things;\nALTER TABLE things DROP COLUMN c;"},
      {"0003_index.up.sql",
       "-- holdfast: no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS things_a ON things (a);\n"
       "CREATE INDEX CONCURRENTLY IF NOT EXISTS things_c ON things (c);"},
      {"0003_index.down.sql",
       "-- holdfast: no-transaction\nDROP INDEX CONCURRENTLY IF EXISTS things_c;\n"
       "DROP INDEX CONCURRENTLY IF EXISTS things_a;"},
  });
  return set;
}

}  // namespace holdfast::migrations
