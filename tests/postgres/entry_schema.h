// The schema that the PostgreSQL backend stands on, made as `holdfast migrate` makes it.
#pragma once

#include <string>

#include "base/result/result.h"
#include "tests/postgres/shared_server.h"

namespace holdfast::postgres_servers {

// All of the built-in steps, in a database nobody is connected to. They run once on each server, in a database that the
// others are copied from.
Status MakeEntrySchema(const FreshDatabase& database, const std::string& schema = "holdfast");

}  // namespace holdfast::postgres_servers
