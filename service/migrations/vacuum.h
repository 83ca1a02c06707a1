// Vacuum and fresh statistics for tables with many dead rows, beside the server's own autovacuum. The schema says which
// tables, and to one caller at a time (claim_vacuum() of step 0015).
//
// Readers and writers are not held up: the lock of VACUUM lets both pass, the end of a file, whose cutting would need
// more, is left as it is, and a table that somebody else works on is passed over instead of waited for.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "service/migrations/connection.h"

namespace holdfast::migrations {

struct VacuumOptions {
  // A table is due with more dead rows than `dead_rows` + `dead_share` of its rows.
  std::int64_t dead_rows = 10'000;
  double dead_share = 0.1;
  // The session is the caller's own: it is told to end a vacuum after `timeout` or without its client, and to take its
  // time as autovacuum does. Behind a pooler it would be somebody else's next.
  bool own_session = true;
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds timeout{3'600'000};  // of one table
  std::function<bool()> stop;                    // asked several times a second; may be empty
};

struct Vacuumed {
  std::vector<std::string> tables;  // "schema"."table"; one that somebody else worked on is among them
  std::string problem;              // empty = none; recorded in maintenance_tasks as well
};

// Does what is due, as a role that owns the tables; any other is told of none. kCancelled when `stop` said so.
Result<Vacuumed> Vacuum(const Target& target, const VacuumOptions& options);

}  // namespace holdfast::migrations
