#include "service/migrations/maintenance.h"

#include <fmt/format.h>

namespace holdfast::migrations {
namespace {

// What the server may need beyond its own timeout to say that it is over.
constexpr std::chrono::seconds kGrace{30};
// A schema has a handful of tasks; each is due once.
constexpr int kMostTasks = 100;

// Nothing when nothing is due. The settings go with the transaction: a pooler's session is somebody else's next.
Result<std::optional<Maintained>> RunOne(Connection& connection, const Target& target,
                                         const MaintenanceOptions& options) {
  const auto patience = [&] { return Deadline::After(options.task_timeout + kGrace); };
  HOLDFAST_RETURN_IF_ERROR(connection.Execute("BEGIN", patience()));
  HOLDFAST_RETURN_IF_ERROR(
      connection.Execute("SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', '2s', true), "
                         "set_config('client_connection_check_interval', '1s', true)",
                         patience(), {fmt::format("{}ms", options.task_timeout.count())}));
  HOLDFAST_ASSIGN_OR_RETURN(
      const std::vector<Row> rows,
      connection.Run(fmt::format("SELECT task, problem FROM {}.maintain()", QuotedName(target.schema)), patience()));
  HOLDFAST_RETURN_IF_ERROR(connection.Execute("COMMIT", patience()));
  if (rows.empty() || !rows[0][0]) return std::optional<Maintained>();
  return std::optional(Maintained{*rows[0][0], rows[0][1].value_or("")});
}

}  // namespace

Result<std::vector<Maintained>> Maintain(const Target& target, const MaintenanceOptions& options) {
  HOLDFAST_ASSIGN_OR_RETURN(Connection connection, Connection::Open(target, Connection::Access::kWrite,
                                                                    Deadline::After(options.connect_timeout)));
  connection.StopWhen(options.stop);
  std::vector<Maintained> done;
  while (done.size() < kMostTasks) {
    HOLDFAST_ASSIGN_OR_RETURN(std::optional<Maintained> one, RunOne(connection, target, options));
    if (!one) break;
    done.push_back(std::move(*one));
  }
  return done;
}

}  // namespace holdfast::migrations
