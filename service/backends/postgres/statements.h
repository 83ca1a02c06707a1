// The SQL of the backend, for the schema it is told. Whatever comes from a client is a bound parameter.
#pragma once

#include <string>

#include "service/backends/postgres/condition_sql.h"
#include "service/backends/postgres/connection.h"

namespace holdfast::storage::postgres {

// The SQLSTATE of write_entries when the caller is not among the instances.
inline constexpr std::string_view kNotAnInstance = "HF001";

// Where a scan begins and ends, and what it carries: which of its statements is meant.
struct ScanShape {
  bool bounded = false;  // has an end
  bool descending = false;
  bool keys_only = false;
};

struct Statements {
  explicit Statements(const std::string& schema);

  Statement begin, begin_snapshot, commit, rollback, listen;
  Statement lock_keys;      // $1 locks
  Statement read_entries;   // $1 keys, $2 clock or null; rows: n, at, entry
  Statement write_entries;  // the function's parameters; its rows
  Statement expired;        // $1 clock or null, $2 rows at most; rows: at, key, version, expires_at
  Statement sweeper_lock;   // rows: whether it was free
  Statement probe;          // $1 instance; rows: id when it is there
  Statement server;         // rows: synchronous_commit, fsync, whether it is a standby
  Statement size;           // rows: bytes, entries or null when there are too many to count, estimate
  Statement join;           // $1 name; rows: id, epoch, position, timeline
  Statement leave, tidy;
  Statement alone;  // $1 instance; rows: epoch, whether there are others, whether it is there itself, newest position,
                    // timeline
  Statement seen;   // $1 instance, $2 position
  Statement beat;   // $1 instance; rows: mark, timeline
  Statement shown;  // $1 instance; rows: the mark that stands there
  Statement changes;  // $1 behind this position, $2 rows at most
  Statement writers;  // rows: who may hold a position without having ended
  Statement notify;
  // The server's own views; without the rights to see the figures there are no rows.
  Statement connections;                         // rows: state, sessions of this database; every state is there
  Statement database_bytes;                      // rows: bytes
  Statement tables;                              // rows: table of the schema, bytes, live rows, dead rows
  Statement waiting_locks;                       // rows: requests of this database's sessions
  Statement replication_lag;                     // rows: application_name, bytes
  Statement value_sizes;                         // rows: bytes before and after, of compressed values in a sample
  Statement Count(bool bounded) const;           // $1 start, [$3 end,] $2 clock or null
  Statement Scan(const ScanShape& shape) const;  // $1 start, $2 clock or null, $3 entries, $4 bytes, [$5 end]
  // The same with $3 matches, at most as many as $5 entries to look at, [$6 end], and behind them the parameters of the
  // condition. Rows have at their end: how many entries were looked at up to this one (0: an index found it), and
  // whether it matches; one that does not is the last that was looked at.
  Statement FilteredScan(const ScanShape& shape, const ConditionSql& condition) const;

  std::string schema;   // quoted
  std::string channel;  // of notifications, quoted

 private:
  void AddServerViews(const std::string& name);
};

// "a\"b" → "\"a\"\"b\""
std::string QuoteIdentifier(std::string_view name);

}  // namespace holdfast::storage::postgres
