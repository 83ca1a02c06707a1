#include "tests/postgres/entry_schema.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "service/migrations/migrator.h"

namespace holdfast::postgres_servers {
namespace {

constexpr const char* kTemplate = "migrated";
constexpr const char* kTemplateSchema = "holdfast";

Status Migrate(const std::string& url, const std::string& schema) {
  const migrations::Target target{url, "", schema};
  HOLDFAST_RETURN_IF_ERROR(migrations::Migrate(target, migrations::MigrationSet::BuiltIn(), {}, {}));
  return {};
}

// The name of the one to copy.
Result<std::string> Template(const Server& server) {
  HOLDFAST_ASSIGN_OR_RETURN(Session session, server.Connect());
  const std::string name(kTemplate);
  HOLDFAST_ASSIGN_OR_RETURN(const std::string known,
                            session.Value("SELECT 1 FROM pg_database WHERE datname = '" + name + "'"));
  if (known.empty()) {
    HOLDFAST_RETURN_IF_ERROR(session.Execute("CREATE DATABASE " + name));
    HOLDFAST_RETURN_IF_ERROR(Migrate(server.Url(name), kTemplateSchema));
  }
  return name;
}

}  // namespace

FreshDatabase MigratedDatabase(Server& server) {
  const auto name = Template(server);
  if (name.ok()) return FreshDatabase(server, *name);
  fmt::print(stderr, "no PostgreSQL with a schema for this test: {}\n", name.error().ToString());
  std::abort();
}

Status MakeEntrySchema(const FreshDatabase& database, const std::string& schema) {
  if (schema != kTemplateSchema) return Migrate(database.Url(), schema);
  HOLDFAST_ASSIGN_OR_RETURN(const std::string name, Template(database.server()));
  HOLDFAST_ASSIGN_OR_RETURN(Session session, database.server().Connect());
  HOLDFAST_RETURN_IF_ERROR(session.Execute("DROP DATABASE " + database.name()));
  return session.Execute("CREATE DATABASE " + database.name() + " TEMPLATE " + name);
}

}  // namespace holdfast::postgres_servers
