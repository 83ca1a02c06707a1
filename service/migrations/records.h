// The table schema_migrations: which steps a schema has. Its own shape is fixed for ever, since every release reads it.
#pragma once

#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/migrations/connection.h"
#include "service/migrations/schema_state.h"

namespace holdfast::migrations {

// Empty when there is no such schema or table, which is no error. Works on a replica and in a read-only transaction.
Result<std::vector<Record>> ReadRecords(Connection& connection, const std::string& schema, Deadline deadline);

// The following need the schema in the search path. Make is a transaction of its own; the others belong to the one
// that is open.
Status MakeRecords(Connection& connection, const std::string& schema, Deadline deadline);
// Adds the row or brings it to the state.
Status WriteRecord(Connection& connection, const Migration& migration, Record::State state, const std::string& release,
                   Deadline deadline);
Status RemoveRecord(Connection& connection, const Migration& migration, Deadline deadline);

}  // namespace holdfast::migrations
