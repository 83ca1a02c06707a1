#include "service/migrations/records.h"

#include <fmt/format.h>

namespace holdfast::migrations {
namespace {

Result<Record::State> ParseState(const std::string& text) {
  for (const auto state : {Record::State::kApplied, Record::State::kApplying, Record::State::kReverting}) {
    if (text == StateName(state)) return state;
  }
  return Error(ErrorCode::kCorruption, fmt::format("schema_migrations holds the unknown state \"{}\"", text));
}

}  // namespace

Result<std::vector<Record>> ReadRecords(Connection& connection, const std::string& schema, Deadline deadline) {
  const std::string table = QuotedName(schema) + ".schema_migrations";
  HOLDFAST_ASSIGN_OR_RETURN(const auto found, connection.Value("SELECT to_regclass($1)::text", deadline, {table}));
  if (!found) return std::vector<Record>();
  HOLDFAST_ASSIGN_OR_RETURN(
      const std::vector<Row> rows,
      connection.Run(
          fmt::format("SELECT number, name, up_checksum, down_checksum, state, to_char(applied_at AT TIME ZONE "
                      "'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), applied_by FROM {} ORDER BY number",
                      table),
          deadline));
  std::vector<Record> records;
  for (const Row& row : rows) {
    Record& record = records.emplace_back();
    record.number = std::stoi(row[0].value_or("0"));
    record.name = row[1].value_or("");
    record.up_checksum = row[2].value_or("");
    record.down_checksum = row[3].value_or("");
    HOLDFAST_ASSIGN_OR_RETURN(record.state, ParseState(row[4].value_or("")));
    record.applied_at = row[5].value_or("");
    record.applied_by = row[6].value_or("");
  }
  return records;
}

Status MakeRecords(Connection& connection, const std::string& schema, Deadline deadline) {
  // Asked first: one who may use a schema need not be allowed to create one.
  HOLDFAST_ASSIGN_OR_RETURN(const auto found,
                            connection.Value("SELECT 1 FROM pg_namespace WHERE nspname = $1", deadline, {schema}));
  HOLDFAST_RETURN_IF_ERROR(connection.Execute("BEGIN", deadline));
  if (!found) HOLDFAST_RETURN_IF_ERROR(connection.Execute("CREATE SCHEMA " + QuotedName(schema), deadline));
  HOLDFAST_RETURN_IF_ERROR(
      connection.Execute("CREATE TABLE IF NOT EXISTS schema_migrations ("
                         "number integer NOT NULL PRIMARY KEY CHECK (number > 0), name text NOT NULL, "
                         "up_checksum text NOT NULL, down_checksum text NOT NULL, "
                         "state text NOT NULL CHECK (state IN ('applied', 'applying', 'reverting')), "
                         "applied_at timestamptz NOT NULL DEFAULT clock_timestamp(), applied_by text NOT NULL)",
                         deadline));
  return connection.Execute("COMMIT", deadline);
}

Status WriteRecord(Connection& connection, const Migration& migration, Record::State state, const std::string& release,
                   Deadline deadline) {
  return connection.Execute(
      "INSERT INTO schema_migrations (number, name, up_checksum, down_checksum, state, applied_by) "
      "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (number) DO UPDATE SET state = excluded.state, "
      "applied_at = excluded.applied_at, applied_by = excluded.applied_by",
      deadline,
      {fmt::format("{}", migration.number), migration.name, migration.up.checksum, migration.down.checksum,
       std::string(StateName(state)), release});
}

Status RemoveRecord(Connection& connection, const Migration& migration, Deadline deadline) {
  return connection.Execute("DELETE FROM schema_migrations WHERE number = $1", deadline,
                            {fmt::format("{}", migration.number)});
}

}  // namespace holdfast::migrations
