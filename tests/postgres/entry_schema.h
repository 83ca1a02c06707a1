// The schema that the PostgreSQL backend stands on, made as `holdfast migrate` makes it.
#pragma once

#include <string>

#include "base/result/result.h"
#include "tests/postgres/shared_server.h"

namespace holdfast::postgres_servers {

// The built-in steps run once on each server, in a database that the others are copied from.

// A fresh database with all of them. Aborts with the reason when there can be none.
FreshDatabase MigratedDatabase(Server& server = SharedServer());

// All of them in a database that is there already and nobody is connected to.
Status MakeEntrySchema(const FreshDatabase& database, const std::string& schema = "holdfast");

}  // namespace holdfast::postgres_servers
