#include "service/backends/postgres/statements.h"

#include <fmt/format.h>

namespace holdfast::storage::postgres {
namespace {

constexpr std::string_view kServerTime = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
constexpr std::string_view kEntry = "version, created_at, updated_at, expires_at, content_type, metadata, tags, value";

std::string QuoteLiteral(std::string_view text) {
  std::string quoted = "'";
  for (const char byte : text) {
    if (byte == '\'') quoted.push_back('\'');
    quoted.push_back(byte);
  }
  quoted.push_back('\'');
  return quoted;
}

}  // namespace

std::string QuoteIdentifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char byte : name) {
    if (byte == '"') quoted.push_back('"');
    quoted.push_back(byte);
  }
  quoted.push_back('"');
  return quoted;
}

Statements::Statements(const std::string& name) : schema(QuoteIdentifier(name)) {
  const auto read = [](const char* statement, std::string text) {
    return Statement{statement, std::move(text), StatementKind::kRead};
  };
  const auto write = [](const char* statement, std::string text) {
    return Statement{statement, std::move(text), StatementKind::kWrite};
  };
  channel = QuoteIdentifier("holdfast " + name);
  const std::string entries = QuoteLiteral(schema + ".entries");
  begin = read("begin", "BEGIN");
  // What is read of it goes to a disk or a network between the pages.
  begin_snapshot = read("begin_snapshot",
                        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
                        "SET LOCAL idle_in_transaction_session_timeout = '60s'");
  commit = write("commit", "COMMIT");
  rollback = read("rollback", "ROLLBACK");
  listen = read("listen", fmt::format("LISTEN {}", channel));

  // change_state first, as in write_entries below: whoever joins waits for its readers, and everybody else behind that.
  lock_keys = read("lock_keys", fmt::format("SELECT pg_advisory_xact_lock({}::regclass::oid::integer, l) "
                                            "FROM {}.change_state s, unnest($1::integer[]) AS l WHERE s.one",
                                            entries, schema));
  read_entries =
      read("read_entries",
           fmt::format("SELECT w.n, t.at, {} FROM (SELECT coalesce($2::bigint, {}) AS at) t, "
                       "unnest($1::bytea[]) WITH ORDINALITY AS w(wanted, n) "
                       "LEFT JOIN LATERAL (SELECT * FROM {}.entries e WHERE e.key = w.wanted LIMIT 1) x ON true",
                       kEntry, kServerTime, schema));
  // On a timeline that nobody has joined on yet nobody is an instance: whoever joins lifts the versions first. A
  // standby is left to say that it is one.
  write_entries = write(
      "write_entries",
      fmt::format("SELECT w.* FROM (SELECT CASE WHEN pg_is_in_recovery() THEN $2::bigint "
                  "WHEN s.timeline = left(pg_walfile_name(pg_current_wal_lsn()), 8) THEN $2::bigint ELSE 0 END "
                  "AS instance FROM {0}.change_state s WHERE s.one OFFSET 0) g, "
                  "LATERAL {0}.write_entries($1, g.instance, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
                  "$16, $17, $18, $19, $20, $21) w",
                  schema));
  expired = read("expired", fmt::format("SELECT t.at, e.key, e.version, e.expires_at "
                                        "FROM (SELECT coalesce($1::bigint, {}) AS at) t, {}.entries e "
                                        "WHERE e.expires_at <= t.at ORDER BY e.expires_at LIMIT $2::bigint",
                                        kServerTime, schema));
  // Of the locks of entries the one that no key has.
  sweeper_lock =
      read("sweeper_lock", fmt::format("SELECT pg_try_advisory_xact_lock({}::regclass::oid::integer, -1)", entries));
  probe = write("probe", fmt::format("UPDATE {}.instances SET seen_at = clock_timestamp() WHERE id = $1::bigint "
                                     "RETURNING id",
                                     schema));
  server = read("server",
                "SELECT current_setting('synchronous_commit'), current_setting('fsync'), "
                "pg_is_in_recovery()");
  // Counting is exact and quick while the table is small; behind that the server's own estimate has to do.
  size = read("size",
              fmt::format("SELECT pg_total_relation_size(c.oid), "
                          "CASE WHEN pg_relation_size(c.oid) < 4194304 THEN (SELECT count(*) FROM {0}.entries) END, "
                          "greatest(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid), 0) "
                          "FROM pg_class c WHERE c.oid = {1}::regclass",
                          schema, entries));
  join = write("join_instances", fmt::format("SELECT id, epoch, start, left(pg_walfile_name(pg_current_wal_lsn()), 8) "
                                             "FROM {}.join_instances($1)",
                                             schema));
  leave = write("leave_instances", fmt::format("SELECT {}.leave_instances($1::bigint)", schema));
  tidy = write("tidy_instances",
               fmt::format("SELECT {}.tidy_instances($1::bigint * interval '1 millisecond', $2::integer)", schema));
  alone = read("alone", fmt::format("SELECT s.epoch, EXISTS (SELECT FROM {0}.instances WHERE id <> $1::bigint), "
                                    "EXISTS (SELECT FROM {0}.instances WHERE id = $1::bigint), "
                                    "(SELECT CASE WHEN is_called THEN last_value ELSE 0 END "
                                    "FROM {0}.changes_position_seq), left(pg_walfile_name(pg_current_wal_lsn()), 8) "
                                    "FROM {0}.change_state s WHERE s.one",
                                    schema));
  seen = write("seen", fmt::format("UPDATE {}.instances SET seen_at = clock_timestamp(), position = $2::bigint "
                                   "WHERE id = $1::bigint RETURNING id",
                                   schema));
  beat = write("beat", fmt::format("UPDATE {}.instances SET seen_at = clock_timestamp() WHERE id = $1::bigint "
                                   "RETURNING (extract(epoch FROM seen_at) * 1000000)::bigint, "
                                   "left(pg_walfile_name(pg_current_wal_lsn()), 8)",
                                   schema));
  shown = read("shown", fmt::format("SELECT (extract(epoch FROM seen_at) * 1000000)::bigint FROM {}.instances "
                                    "WHERE id = $1::bigint",
                                    schema));
  changes = read("changes",
                 fmt::format("SELECT position, key, cause, before_version, before_created_at, before_updated_at, "
                             "before_expires_at, before_content_type, before_metadata, before_tags, before_value, "
                             "after_version, after_created_at, after_updated_at, after_expires_at, after_content_type, "
                             "after_metadata, after_tags, after_value FROM {}.changes WHERE position > $1::bigint "
                             "ORDER BY position LIMIT $2::bigint",
                             schema));
  writers = read("writers", fmt::format("SELECT l.virtualtransaction FROM pg_locks l WHERE l.relation = "
                                        "{}::regclass AND l.mode = 'RowExclusiveLock' AND l.granted AND "
                                        "l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                                        QuoteLiteral(schema + ".changes")));
  notify = read("notify", fmt::format("NOTIFY {}", channel));
  AddServerViews(name);
}

void Statements::AddServerViews(const std::string& name) {
  const auto read = [](const char* statement, std::string text) {
    return Statement{statement, std::move(text), StatementKind::kRead};
  };
  // Of sessions of others a role without this right is told that they are there, and not their state.
  connections = read("server_connections",
                     "SELECT s.label, count(a.pid) FROM (VALUES ('active', 'active'), ('idle', 'idle'), "
                     "('idle in transaction', 'idle_in_transaction'), "
                     "('idle in transaction (aborted)', 'idle_in_transaction_aborted')) AS s(state, label) "
                     "LEFT JOIN pg_stat_activity a ON a.state = s.state AND a.datname = current_database() "
                     "AND a.backend_type = 'client backend' "
                     "WHERE pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') GROUP BY s.label");
  database_bytes = read("server_database_bytes", "SELECT pg_database_size(current_database())");
  tables = read("server_tables",
                fmt::format("SELECT c.relname, coalesce(sum(pg_total_relation_size(t.relid)), 0)::bigint, "
                            "sum(t.n_live_tup)::bigint, sum(t.n_dead_tup)::bigint FROM pg_stat_user_tables t "
                            "JOIN pg_class c ON c.oid = coalesce(pg_partition_root(t.relid)::oid, t.relid) "
                            "WHERE t.schemaname = {} GROUP BY c.relname",
                            QuoteLiteral(name)));
  // Locks on transactions belong to no database, their waiters do.
  waiting_locks = read("server_waiting_locks",
                       "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
                       "WHERE NOT l.granted AND a.datname = current_database()");
  replication_lag = read("server_replication_lag",
                         "SELECT application_name, max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))::bigint "
                         "FROM pg_stat_replication WHERE replay_lsn IS NOT NULL GROUP BY application_name");
  // Of some 128 pages; all that is asked of a value stands in the row, none is fetched or unpacked.
  value_sizes = read("server_value_sizes",
                     fmt::format("SELECT sum(octet_length(value)), sum(pg_column_size(value)) FROM {0}.entries "
                                 "TABLESAMPLE SYSTEM ((SELECT least(100, 100.0 * 128 * "
                                 "current_setting('block_size')::bigint / greatest(pg_relation_size({1}::regclass), "
                                 "1)))) WHERE pg_column_compression(value) IS NOT NULL",
                                 schema, QuoteLiteral(schema + ".entries")));
}

Statement Statements::Count(bool bounded) const {
  return {bounded ? "count_range" : "count_from",
          fmt::format("SELECT count(*) FROM {}.entries, (SELECT coalesce($2::bigint, {}) AS at) t "
                      "WHERE key >= $1::bytea{} AND (expires_at IS NULL OR expires_at > t.at)",
                      schema, kServerTime, bounded ? " AND key < $3::bytea" : ""),
          StatementKind::kRead};
}

namespace {

// column < bound. Without statistics of the table the planner takes whatever has two bounds to be a few rows, and would
// read and sort all of the range for each large page; it does not see two bounds where one is a comparison of rows, of
// which the index is given the first column.
std::string Below(std::string_view column, std::string_view bound) {
  return fmt::format("({}, 1) < ({}::bytea, 1)", column, bound);
}

}  // namespace

Statement Statements::Scan(const ScanShape& shape) const {
  const std::string_view order = shape.descending ? "DESC" : "ASC";
  // One row more than asked for tells whether the page is the last; values are looked at only in the rows that fit.
  return {fmt::format("scan{}{}{}", shape.bounded ? "_range" : "_from", shape.descending ? "_down" : "",
                      shape.keys_only ? "_keys" : ""),
          fmt::format(
              "SELECT key, octet_length(value), found, version, created_at, updated_at, expires_at, content_type, "
              "metadata, tags, {0} FROM (SELECT p.*, sum(size) OVER (ORDER BY key {1}) AS total, row_number() OVER "
              "(ORDER BY key {1}) AS n, count(*) OVER () AS found FROM (SELECT e.*, octet_length(key) + {2} AS size "
              "FROM {3}.entries e, (SELECT coalesce($2::bigint, {4}) AS at) t WHERE key >= $1::bytea{5} AND "
              "(expires_at IS NULL OR expires_at > t.at) ORDER BY key {1} LIMIT $3::bigint + 1) p) q "
              "WHERE n = 1 OR (n <= $3::bigint AND total <= $4::bigint) ORDER BY key {1}",
              shape.keys_only ? "NULL::bytea" : "value", order, shape.keys_only ? "0" : "octet_length(value)", schema,
              kServerTime, shape.bounded ? " AND " + Below("key", "$5") : ""),
          StatementKind::kRead};
}

Statement Statements::FilteredScan(const ScanShape& shape, const ConditionSql& condition) const {
  const std::string_view order = shape.descending ? "DESC" : "ASC";
  const std::string rows = fmt::format(
      "{0}.entries e, (SELECT coalesce($2::bigint, {1}) AS at) t WHERE e.key >= $1::bytea{2} AND "
      "(e.expires_at IS NULL OR e.expires_at > t.at)",
      schema, kServerTime, shape.bounded ? " AND " + Below("e.key", "$6") : "");
  // Either the server finds what matches in the way that it thinks is shortest, or it looks at so many entries in the
  // order of their keys and tells where that was.
  const std::string matches =
      condition.indexed ? fmt::format(
                              "SELECT e.*, 0::bigint AS looked, true AS matches FROM {0} AND {1} ORDER BY e.key {2} "
                              "LIMIT least($3::bigint, $5::bigint) + 1",
                              rows, condition.text, order)
                        : fmt::format(
                              "SELECT * FROM (SELECT e.*, row_number() OVER (ORDER BY e.key {2}) AS looked, "
                              "({1}) IS TRUE AS matches FROM {0} ORDER BY e.key {2} LIMIT $5::bigint) w "
                              "WHERE w.matches OR w.looked = $5::bigint ORDER BY w.key {2} LIMIT $3::bigint + 1",
                              rows, condition.text, order);
  return {"scan_filtered",
          fmt::format("SELECT key, octet_length(value), found, {0}, looked, matches FROM (SELECT p.*, sum(CASE WHEN "
                      "matches THEN octet_length(key) + {1} ELSE 0 END) OVER (ORDER BY key {2}) AS total, row_number() "
                      "OVER (ORDER BY key {2}) AS n, count(*) OVER () AS found FROM ({3}) p) q "
                      "WHERE n = 1 OR (n <= $3::bigint AND total <= $4::bigint) ORDER BY key {2}",
                      shape.keys_only ? "version, created_at, updated_at, expires_at, content_type, metadata, tags, "
                                        "NULL::bytea"
                                      : kEntry,
                      shape.keys_only ? "0" : "octet_length(value)", order, matches),
          StatementKind::kRead, false};
}

}  // namespace holdfast::storage::postgres
