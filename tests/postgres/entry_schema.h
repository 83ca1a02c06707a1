// The schema that the PostgreSQL backend stands on, made without the program that makes it in earnest.
#pragma once

#include <string>

#include "base/result/result.h"
#include "tests/postgres/shared_server.h"

namespace holdfast::postgres_servers {

// Makes the schema and runs the steps of migrations/ that the backend itself needs.
Status MakeEntrySchema(const FreshDatabase& database, const std::string& schema = "holdfast");

}  // namespace holdfast::postgres_servers
