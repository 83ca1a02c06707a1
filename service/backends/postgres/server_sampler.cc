#include "service/backends/postgres/server_sampler.h"

#include <algorithm>

#include "base/log/log.h"
#include "service/backends/postgres/entry_row.h"

namespace holdfast::storage::postgres {
namespace {

// How soon the first sample is taken, and how soon one that is due.
constexpr std::chrono::milliseconds kLook{1'000};
// The server says by itself that it took too long; only one that does not is cut off.
constexpr std::chrono::seconds kGrace{1};

std::uint64_t CountOf(const pqxx::field& field) {
  const Result<std::int64_t> number = NumberOf(field);
  return number.ok() && *number > 0 ? static_cast<std::uint64_t>(*number) : 0;
}

std::optional<std::uint64_t> OnlyCount(const pqxx::result& rows) {
  if (rows.empty() || rows[0][0].is_null()) return std::nullopt;
  return CountOf(rows[0][0]);
}

std::map<std::string, std::uint64_t> CountsByName(const pqxx::result& rows) {
  std::map<std::string, std::uint64_t> counts;
  for (const pqxx::row& row : rows) counts.emplace(row[0].c_str(), CountOf(row[1]));
  return counts;
}

}  // namespace

ServerSampler::ServerSampler(const Statements& statements, const PostgresOptions& options, PrimaryChoice& choice,
                             Watchdog& watchdog)
    : statements_(statements),
      options_(options),
      choice_(choice),
      watchdog_(watchdog),
      task_(std::min(options.statistics_interval, kLook), [this] { Sample(); }) {}

ServerStatistics ServerSampler::statistics() const {
  const std::lock_guard lock(mutex_);
  return last_.server;
}

ValueSizes ServerSampler::value_sizes() const {
  const std::lock_guard lock(mutex_);
  return last_.values;
}

void ServerSampler::Stop() {
  task_.Stop();
  connection_.reset();
}

void ServerSampler::Sample() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + options_.statistics_interval;
  Status connected;
  if (!connection_ || !connection_->usable()) connected = Connect();
  Result<Sampled> sampled = connected.ok() ? AskAll() : Result<Sampled>(connected.error());
  if (!sampled.ok()) {
    connection_.reset();
    // A lasting failure is logged once.
    if (!failing_) log::Warn("the server's statistics cannot be read", {{"error", sampled.error().message()}});
  }
  failing_ = !sampled.ok();
  const std::lock_guard lock(mutex_);
  last_ = sampled.ok() ? std::move(*sampled) : Sampled{};
}

Status ServerSampler::Connect() {
  connection_.reset();
  HOLDFAST_ASSIGN_OR_RETURN(connection_,
                            Connection::Open(options_, Connection::Purpose::kStatistics, choice_, watchdog_));
  return {};
}

Result<pqxx::result> ServerSampler::Ask(const Statement& statement) {
  const Answered answered = connection_->RunPlain(statement, Deadline::After(options_.statistics_timeout + kGrace));
  if (answered.ok()) return answered.rows;
  if (!connection_->usable()) return answered.failure->error;
  return pqxx::result();
}

Result<ServerSampler::Sampled> ServerSampler::AskAll() {
  Sampled sampled;
  ServerStatistics& statistics = sampled.server;
  HOLDFAST_ASSIGN_OR_RETURN(const pqxx::result connections, Ask(statements_.connections));
  statistics.connections = CountsByName(connections);
  HOLDFAST_ASSIGN_OR_RETURN(const pqxx::result database, Ask(statements_.database_bytes));
  statistics.database_bytes = OnlyCount(database);
  HOLDFAST_ASSIGN_OR_RETURN(const pqxx::result tables, Ask(statements_.tables));
  for (const pqxx::row& row : tables) {
    statistics.tables.push_back({row[0].c_str(), CountOf(row[1]), CountOf(row[2]), CountOf(row[3])});
  }
  HOLDFAST_ASSIGN_OR_RETURN(const pqxx::result locks, Ask(statements_.waiting_locks));
  statistics.waiting_locks = OnlyCount(locks);
  HOLDFAST_ASSIGN_OR_RETURN(const pqxx::result replicas, Ask(statements_.replication_lag));
  statistics.replication_lag_bytes = CountsByName(replicas);
  HOLDFAST_ASSIGN_OR_RETURN(const pqxx::result values, Ask(statements_.value_sizes));
  if (!values.empty()) sampled.values = {CountOf(values[0][0]), CountOf(values[0][1])};
  return sampled;
}

}  // namespace holdfast::storage::postgres
