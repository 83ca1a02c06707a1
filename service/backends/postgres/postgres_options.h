// What a PostgreSQL backend is told: where the server is, how many connections, how long to wait. Plain data.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "service/storage/types.h"

namespace holdfast::storage {

struct PostgresOptions {
  // A libpq URI (postgresql://user@host:port/database?sslmode=verify-full&sslrootcert=...). Several hosts may be named;
  // the one that accepts writes is taken. Never logged: it may hold a password.
  std::string url;
  std::string password_file;  // its first line is the password; read at every connect, so that it can be changed
  // Straight to the server, past a pooler: for LISTEN. Empty = `url`, or polling only when `pooled`.
  std::string direct_url;
  std::string schema = "holdfast";  // where `holdfast migrate` put the tables
  // `url` is a PgBouncer in transaction mode: nothing is kept in a session, so no prepared statements and no parameters
  // at the start of one. The server-side timeouts below are then those of the role (ALTER ROLE ... SET).
  bool pooled = false;

  int min_connections = 1;
  int max_connections = 8;
  std::chrono::milliseconds acquire_timeout{5'000};  // for a connection when all are in use
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds idle_timeout{300'000};    // an unused one above min_connections is closed
  std::chrono::milliseconds max_lifetime{1'800'000};  // then it is replaced, so that a new address is noticed
  std::chrono::milliseconds statement_timeout{30'000};
  std::chrono::milliseconds lock_timeout{5'000};
  std::chrono::milliseconds idle_in_transaction_timeout{10'000};
  // Both log name, time and rows, and nothing that a statement carried.
  std::chrono::milliseconds slow_statement{500};  // longer ones are logged as warnings; 0 = none
  bool log_statements = false;                    // all of them
  std::string synchronous_commit;                 // empty = as the server has it

  // Streaming replicas, each a url like `url` with one host. They get the reads that allow it; `pooled`,
  // `password_file`, the limits of connections and the timeouts hold for each of them as well.
  std::vector<std::string> replica_urls;
  std::chrono::milliseconds max_replication_lag{5'000};  // one that is further behind gets no reads
  std::chrono::milliseconds replica_timeout{1'000};      // then the primary is asked instead

  std::chrono::milliseconds statistics_interval{30'000};  // how often the server's own views are read; 0 = never
  std::chrono::milliseconds statistics_timeout{5'000};    // of each

  std::chrono::milliseconds poll_interval{250};        // for others' changes when no notification comes
  std::chrono::milliseconds instance_timeout{60'000};  // an instance that was silent for so long is taken out
  Limits limits;
};

// A B-tree page holds three index rows; a longer key cannot be indexed.
inline constexpr std::size_t kMaxPostgresKeyBytes = 2'600;

// What one number of the sequence `versions` stands for; a call has no more operations.
inline constexpr std::size_t kVersionsPerCall = 65'536;

}  // namespace holdfast::storage
