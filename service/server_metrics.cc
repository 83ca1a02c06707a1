#include "service/server_metrics.h"

#include <map>
#include <optional>

namespace holdfast::service {
namespace {

using storage::ServerStatistics;
using Values = std::map<metrics::Labels, double>;

Values ByLabel(const char* label, const std::map<std::string, std::uint64_t>& counts) {
  Values values;
  for (const auto& [name, count] : counts) values[{{label, name}}] = static_cast<double>(count);
  return values;
}

Values IfKnown(const std::optional<std::uint64_t>& count) {
  Values values;
  if (count) values[{}] = static_cast<double>(*count);
  return values;
}

Values OfTables(const ServerStatistics& server, std::uint64_t ServerStatistics::Table::*figure) {
  Values values;
  for (const auto& table : server.tables) values[{{"table", table.name}}] = static_cast<double>(table.*figure);
  return values;
}

}  // namespace

ServerMetrics::ServerMetrics(const std::string& backend_name, metrics::Registry& registry)
    : connections_(registry.GetGaugeSet("holdfast_server_connections",
                                        "Connections of all clients to the backend's database, by state.",
                                        {{"backend", backend_name}})),
      database_bytes_(registry.GetGaugeSet("holdfast_server_database_bytes", "Size of the backend's database.",
                                           {{"backend", backend_name}})),
      table_bytes_(registry.GetGaugeSet("holdfast_server_table_bytes", "Size of a table of the backend.",
                                        {{"backend", backend_name}})),
      live_rows_(registry.GetGaugeSet("holdfast_server_live_rows", "Rows of a table of the backend, estimated.",
                                      {{"backend", backend_name}})),
      dead_rows_(registry.GetGaugeSet("holdfast_server_dead_rows", "Rows that wait for a vacuum, estimated.",
                                      {{"backend", backend_name}})),
      waiting_locks_(registry.GetGaugeSet("holdfast_server_waiting_locks", "Requests for locks that wait.",
                                          {{"backend", backend_name}})),
      replication_lag_(registry.GetGaugeSet("holdfast_replication_lag_bytes",
                                            "What the server has written and a replica has not replayed.",
                                            {{"backend", backend_name}})) {}

void ServerMetrics::Show(const ServerStatistics& now) {
  using Table = ServerStatistics::Table;
  connections_.Show(ByLabel("state", now.connections));
  database_bytes_.Show(IfKnown(now.database_bytes));
  table_bytes_.Show(OfTables(now, &Table::bytes));
  live_rows_.Show(OfTables(now, &Table::live_rows));
  dead_rows_.Show(OfTables(now, &Table::dead_rows));
  waiting_locks_.Show(IfKnown(now.waiting_locks));
  replication_lag_.Show(ByLabel("replica", now.replication_lag_bytes));
}

}  // namespace holdfast::service
