#include "service/settings_postgres.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "service/backends/postgres/postgres_backend.h"
#include "service/setting_rows.h"
#include "service/storage/key_space.h"

namespace holdfast::service {
namespace {

using config::Setting;

constexpr std::array<std::string_view, 27> kRows = {"url",
                                                    "compression",
                                                    "compression_threshold",
                                                    "url_file",
                                                    "password_file",
                                                    "direct_url",
                                                    "schema",
                                                    "pooled",
                                                    "pool_min",
                                                    "pool_max",
                                                    "acquire_timeout",
                                                    "idle_timeout",
                                                    "connect_timeout",
                                                    "max_lifetime",
                                                    "statement_timeout",
                                                    "lock_timeout",
                                                    "idle_in_transaction_timeout",
                                                    "slow_statement",
                                                    "log_statements",
                                                    "synchronous_commit",
                                                    "replica_urls",
                                                    "max_replication_lag",
                                                    "replica_timeout",
                                                    "statistics_interval",
                                                    "statistics_timeout",
                                                    "poll_interval",
                                                    "instance_timeout"};

constexpr std::string_view kAsTheServer = "server";

Setting Secret(Setting row) {
  row.secret = true;
  return row;
}

bool IsUrl(std::string_view text) {
  return text.starts_with("postgresql://") || text.starts_with("postgres://");
}

}  // namespace

std::span<const std::string_view> PostgresRows() {
  return kRows;
}

void AddPostgres(std::vector<Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Secret(Text("backends.*.url", "",
                      "postgres: postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full&sslrootcert=FILE; several "
                      "hosts, with commas between them, are tried until one takes writes. redis: "
                      "redis://USER@HOST:PORT/DATABASE, rediss:// over TLS, unix:///PATH?db=DATABASE, "
                      "redis+sentinel://HOST,HOST,HOST/MASTER, "
                      "redis+cluster://HOST:PORT,HOST:PORT.")),
          Text("backends.*.url_file", "",
               "postgres, redis: file whose first line is the url, in the place of `url`; read once, at the start."),
          Text("backends.*.password_file", "",
               "postgres, redis: file whose first line is the password; read at every connect, so that it can be "
               "changed."),
          Secret(
              Text("backends.*.direct_url", "",
                   "postgres: the way to the server past a pooler, for notifications; left out with `pooled`: others' "
                   "changes are asked for every poll_interval.")),
          Text("backends.*.schema", "holdfast", "postgres: where `holdfast migrate` put the tables."),
          Flag("backends.*.pooled", "false",
               "postgres: url is a PgBouncer in transaction mode: nothing is kept in sessions, and the timeouts of the "
               "server's side are those of the role."),
          Integer("backends.*.pool_min", "1", 0, 1'000, "postgres, redis: connections that are kept open."),
          Integer("backends.*.pool_max", "8", 1, 1'000,
                  "postgres, redis: most connections, those for the change log and for statistics not counted; as many "
                  "batches run at once."),
          Duration("backends.*.acquire_timeout", "5s", kMillisecond, kHour,
                   "postgres, redis: longest wait for a connection when all are in use: 503."),
          Duration("backends.*.connect_timeout", "5s", 2 * kSecond, kHour,
                   "postgres, redis: longest wait for the server."),
          Duration("backends.*.idle_timeout", "5m", kSecond, 24 * kHour,
                   "postgres, redis: a connection above pool_min that was unused for so long is closed."),
          Duration("backends.*.max_lifetime", "30m", 0, 30 * 24 * kHour,
                   "postgres, redis: a connection is replaced after so long; 0s = never."),
          Duration("backends.*.statement_timeout", "30s", 0, 24 * kHour, "postgres: longest statement; 0s = no limit."),
          Duration("backends.*.lock_timeout", "5s", 0, kHour,
                   "postgres: longest wait for keys that others hold: 503; 0s = no limit."),
          Duration("backends.*.idle_in_transaction_timeout", "10s", 0, kHour,
                   "postgres: the server ends a session that leaves a transaction open for so long; 0s = never."),
          Duration("backends.*.slow_statement", "500ms", 0, kHour,
                   "postgres: longer statements are logged, by name and without what they carried; 0s = none."),
          Flag("backends.*.log_statements", "false",
               "postgres: every statement is logged, by name, time and rows and without what it carried."),
          Choice("backends.*.synchronous_commit", std::string(kAsTheServer),
                 {std::string(kAsTheServer), "on", "off", "local", "remote_write", "remote_apply"},
                 "postgres: what an acknowledged write has reached. server: as its own settings say."),
          Secret(List("backends.*.replica_urls",
                      "postgres: urls of streaming replicas, each as `url` and of one host; they get the reads with "
                      "consistency=eventual.")),
          Duration("backends.*.max_replication_lag", "5s", 200 * kMillisecond, kHour,
                   "postgres, redis: a replica that is further behind gets no reads until it has caught up."),
          Duration("backends.*.replica_timeout", "1s", 10 * kMillisecond, kHour,
                   "postgres, redis: longest wait for a replica; then the primary is asked."),
          Duration("backends.*.statistics_interval", "30s", 0, kHour,
                   "postgres: how often the server's own views are read for the metrics; 0s = never."),
          Duration("backends.*.statistics_timeout", "5s", 10 * kMillisecond, 60 * kSecond,
                   "postgres: longest statement that reads one of them; what it would have told is left out then."),
          Duration("backends.*.poll_interval", "250ms", 10 * kMillisecond, 60 * kSecond,
                   "postgres: how often to look for changes of other instances when no notification comes. redis: how "
                   "often to look who else is there."),
          Duration(
              "backends.*.instance_timeout", "60s", 5 * kSecond, 24 * kHour,
              "postgres, redis: an instance that was silent for so long is taken for gone; the log of changes is kept "
              "for those that are not."),
      });
}

Result<std::string> FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (!line.empty()) return line;
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("cannot read {}: missing, unreadable or its first line is empty", path));
}

storage::PostgresOptions PostgresOf(const config::Settings& settings, const std::string& name,
                                    const storage::Limits& limits, std::vector<config::Problem>* problems) {
  const auto row = [&](std::string_view of) { return fmt::format("backends.{}.{}", name, of); };
  const auto time = [&](std::string_view of) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(settings.Duration(row(of)));
  };
  const auto add = [&](std::string_view of, std::string message) {
    problems->push_back({fmt::format("setting {}", row(of)), std::move(message)});
  };
  storage::PostgresOptions options;
  options.limits = limits;
  options.url = settings.String(row("url"));
  if (const std::string file = settings.String(row("url_file")); !file.empty()) {
    if (!options.url.empty()) {
      add("url_file", "stands beside url; leave one of them out");
    } else if (auto line = FirstLine(file); line.ok()) {
      options.url = std::move(line).value();
    } else {
      add("url_file", line.error().message());
      options.url = "postgresql://";  // what is wrong has been said
    }
  }
  options.password_file = settings.String(row("password_file"));
  options.direct_url = settings.String(row("direct_url"));
  options.schema = settings.String(row("schema"));
  options.pooled = settings.Bool(row("pooled"));
  options.min_connections = static_cast<int>(settings.Integer(row("pool_min")));
  options.max_connections = static_cast<int>(settings.Integer(row("pool_max")));
  options.acquire_timeout = time("acquire_timeout");
  options.connect_timeout = time("connect_timeout");
  options.idle_timeout = time("idle_timeout");
  options.max_lifetime = time("max_lifetime");
  options.statement_timeout = time("statement_timeout");
  options.lock_timeout = time("lock_timeout");
  options.idle_in_transaction_timeout = time("idle_in_transaction_timeout");
  options.slow_statement = time("slow_statement");
  options.log_statements = settings.Bool(row("log_statements"));
  const std::string commit = settings.String(row("synchronous_commit"));
  if (commit != kAsTheServer) options.synchronous_commit = commit;
  options.replica_urls = settings.List(row("replica_urls"));
  options.max_replication_lag = time("max_replication_lag");
  options.replica_timeout = time("replica_timeout");
  options.statistics_interval = time("statistics_interval");
  options.statistics_timeout = time("statistics_timeout");
  options.poll_interval = time("poll_interval");
  options.instance_timeout = time("instance_timeout");

  if (!IsUrl(options.url)) add("url", "must begin with postgresql://; give postgresql://USER@HOST:PORT/DATABASE");
  if (!options.direct_url.empty() && !IsUrl(options.direct_url)) add("direct_url", "must begin with postgresql://");
  if (!std::all_of(options.replica_urls.begin(), options.replica_urls.end(), IsUrl)) {
    add("replica_urls", "has an item that does not begin with postgresql://");
  }
  if (options.schema.empty()) add("schema", "is empty; name the schema of the tables");
  if (options.min_connections > options.max_connections)
    add("pool_min", "is above pool_max; lower it or raise pool_max");
  if (options.pooled && settings.IsSet(row("synchronous_commit"))) {
    add("synchronous_commit", "has no effect behind a pooler; leave it out and use ALTER ROLE ... SET");
  }
  const std::size_t most = storage::kMaxPostgresKeyBytes - storage::kReservedKeyBytes;
  if (limits.max_key_bytes > most) {
    problems->push_back({"setting limits.key", fmt::format("is {}, PostgreSQL (backend {}) can index {}; lower it",
                                                           limits.max_key_bytes, name, most)});
  }
  return options;
}

}  // namespace holdfast::service
