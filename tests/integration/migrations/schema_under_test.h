// What the cases about migrations share: a database of their own and the ways to look at it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "service/migrations/migrator.h"
#include "tests/postgres/shared_server.h"

namespace holdfast::migrations {

using postgres_servers::FreshDatabase;
using postgres_servers::Server;
using postgres_servers::Session;

// Pauses and timeouts that suit a test.
MigratorOptions TestOptions();

class SchemaUnderTest {
 public:
  explicit SchemaUnderTest(std::string schema = "holdfast", Server& server = postgres_servers::SharedServer());

  const FreshDatabase& database() const { return database_; }
  // Through the Unix socket: hundreds of runs would spend their time on proving a password.
  Target target() const { return {database_.server().SocketUrl(database_.name()), "", schema_}; }
  const std::string& schema() const { return schema_; }

  Result<Migrated> Up(int to, const MigratorOptions& options = TestOptions(),
                      const MigrationSet& known = MigrationSet::BuiltIn()) const;
  Result<Migrated> Up() const { return Up(MigrationSet::BuiltIn().latest()); }
  Result<Migrated> Down(int to, const MigratorOptions& options = TestOptions(),
                        const MigrationSet& known = MigrationSet::BuiltIn()) const;
  SchemaState State(const MigrationSet& known = MigrationSet::BuiltIn()) const;

  // A superuser's session whose search path is the schema.
  Session Connect() const;
  // pg_dump of the whole database without its rows.
  std::string Dump() const;
  // schema_migrations but for the times: "1 entries applied, 2 ...".
  std::string Records() const;

 private:
  FreshDatabase database_;
  std::string schema_;
};

// Calls maintain() until nothing is due: "partitions, samples: its problem, statistics".
std::string Maintain(Session& session);

// So many rows of `entries` that wait for a vacuum, known to the statistics at return; nobody vacuums them by himself.
void MakeDeadRows(Session& session, int rows);

// Files as a folder would hold them.
MigrationSet MakeSet(const std::vector<std::pair<std::string, std::string>>& files);
// Three steps: a table, a column with a row, an index that is made without a transaction.
const MigrationSet& SmallSet();

}  // namespace holdfast::migrations
