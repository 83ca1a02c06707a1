#include "service/migrations/vacuum.h"

#include <fmt/format.h>

namespace holdfast::migrations {
namespace {

// What the server may need beyond its own timeout to say that it is over.
constexpr std::chrono::seconds kGrace{30};
constexpr std::chrono::seconds kAnswer{30};

Status Prepare(Connection& connection, const VacuumOptions& options) {
  if (!options.own_session) return {};
  return connection.Execute(
      "SELECT set_config('statement_timeout', $1, false), set_config('client_connection_check_interval', '1s', false), "
      "set_config('vacuum_cost_delay', '2ms', false)",
      Deadline::After(kAnswer), {fmt::format("{}ms", options.timeout.count())});
}

}  // namespace

Result<Vacuumed> Vacuum(const Target& target, const VacuumOptions& options) {
  HOLDFAST_ASSIGN_OR_RETURN(Connection connection, Connection::Open(target, Connection::Access::kWrite,
                                                                    Deadline::After(options.connect_timeout)));
  connection.StopWhen(options.stop);
  const std::string schema = QuotedName(target.schema);
  HOLDFAST_ASSIGN_OR_RETURN(
      const std::vector<Row> due,
      connection.Run(fmt::format("SELECT {}.claim_vacuum($1, $2)", schema), Deadline::After(kAnswer),
                     {std::to_string(options.dead_rows), fmt::format("{}", options.dead_share)}));
  Vacuumed done;
  if (due.empty()) return done;
  HOLDFAST_RETURN_IF_ERROR(Prepare(connection, options));
  for (const Row& row : due) {
    done.tables.push_back(row[0].value_or(""));
    const Status vacuumed = connection.Execute("VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) " + done.tables.back(),
                                               Deadline::After(options.timeout + kGrace));
    if (vacuumed.ok()) continue;
    if (!connection.open()) return vacuumed.error();
    fmt::format_to(std::back_inserter(done.problem), "{}{}: {}", done.problem.empty() ? "" : "; ", done.tables.back(),
                   vacuumed.error().message());
  }
  HOLDFAST_RETURN_IF_ERROR(connection.Execute(fmt::format("SELECT {}.record_vacuum($1)", schema),
                                              Deadline::After(kAnswer),
                                              {done.problem.empty() ? std::optional<std::string>() : done.problem}));
  return done;
}

}  // namespace holdfast::migrations
