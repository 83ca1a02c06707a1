#include "service/server_metrics.h"

#include <map>
#include <optional>
#include <vector>

namespace holdfast::service {
namespace {

using metrics::Labels;
using metrics::Sample;
using storage::ServerStatistics;
using Counts = std::map<std::string, std::uint64_t>;

std::vector<Sample> ByLabel(const std::string& backend, const char* label, const Counts& counts) {
  std::vector<Sample> samples;
  for (const auto& [name, count] : counts) {
    samples.push_back({{{"backend", backend}, {label, name}}, static_cast<double>(count)});
  }
  return samples;
}

std::vector<Sample> IfKnown(const std::string& backend, const std::optional<std::uint64_t>& count) {
  if (!count) return {};
  return {{{{"backend", backend}}, static_cast<double>(*count)}};
}

std::vector<Sample> OfTables(const std::string& backend, const ServerStatistics& server,
                             std::uint64_t ServerStatistics::Table::*figure) {
  Counts counts;
  for (const auto& table : server.tables) counts[table.name] = table.*figure;
  return ByLabel(backend, "table", counts);
}

}  // namespace

void ExportServer(const std::string& backend_name, const std::function<ServerStatistics()>& latest,
                  metrics::Registry& registry) {
  using Table = ServerStatistics::Table;
  using SamplesOf = std::function<std::vector<Sample>(const ServerStatistics& server)>;
  const auto family = [&](const char* name, const char* help, const SamplesOf& samples_of) {
    registry.CollectGauges(name, help, [latest, samples_of] { return samples_of(latest()); });
  };
  const std::string& backend = backend_name;
  family("holdfast_server_connections", "Connections of all clients to the backend's database, by state.",
         [backend](const ServerStatistics& server) { return ByLabel(backend, "state", server.connections); });
  family("holdfast_server_database_bytes", "Size of the backend's database.",
         [backend](const ServerStatistics& server) { return IfKnown(backend, server.database_bytes); });
  family("holdfast_server_table_bytes", "Size of a table of the backend.",
         [backend](const ServerStatistics& server) { return OfTables(backend, server, &Table::bytes); });
  family("holdfast_server_live_rows", "Rows of a table of the backend, estimated.",
         [backend](const ServerStatistics& server) { return OfTables(backend, server, &Table::live_rows); });
  family("holdfast_server_dead_rows", "Rows that wait for a vacuum, estimated.",
         [backend](const ServerStatistics& server) { return OfTables(backend, server, &Table::dead_rows); });
  family("holdfast_server_waiting_locks", "Requests for locks that wait.",
         [backend](const ServerStatistics& server) { return IfKnown(backend, server.waiting_locks); });
  family(
      "holdfast_replication_lag_bytes", "What the server has written and a replica has not replayed.",
      [backend](const ServerStatistics& server) { return ByLabel(backend, "replica", server.replication_lag_bytes); });
}

}  // namespace holdfast::service
