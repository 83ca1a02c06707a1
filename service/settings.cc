#include "service/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "service/backend_rows.h"
#include "service/setting_values.h"
#include "service/settings_backup_source.h"
#include "service/settings_backups.h"
#include "service/settings_changes.h"
#include "service/settings_checkpoints.h"
#include "service/settings_composition.h"
#include "service/settings_compression.h"
#include "service/settings_failover.h"
#include "service/settings_locks.h"
#include "service/settings_memory.h"
#include "service/settings_moves.h"
#include "service/settings_postgres.h"
#include "service/settings_redis.h"
#include "service/settings_replicas.h"
#include "service/settings_resilience.h"
#include "service/settings_rocksdb.h"
#include "service/settings_tenancy.h"
#include "service/settings_write.h"

namespace holdfast::service {
namespace {

using config::Problem;
using config::Settings;

// Row names of one backend or store: Named("backends", "local", "path").
std::string Named(std::string_view group, std::string_view name, std::string_view row) {
  return fmt::format("{}.{}.{}", group, name, row);
}

storage::Limits LimitsOf(const Settings& settings) {
  storage::Limits limits;
  limits.max_key_bytes = Size(settings, "limits.key");
  limits.max_value_bytes = Size(settings, "limits.value");
  limits.max_metadata_bytes = Size(settings, "limits.metadata");
  limits.max_tags = Number(settings, "limits.tags");
  limits.max_tag_bytes = Size(settings, "limits.tag");
  limits.max_content_type_bytes = Size(settings, "limits.content_type");
  limits.max_operations = Number(settings, "limits.batch_operations");
  limits.max_scan_entries = Number(settings, "limits.page_entries");
  limits.max_scan_bytes = Size(settings, "limits.page_bytes");
  return limits;
}

class Interpreter {
 public:
  Interpreter(const Settings& settings, std::vector<Problem>* problems) : settings_(settings), problems_(problems) {}

  void ReadBackends() {
    for (const std::string& name : settings_.Names("backends")) {
      CheckName("backends", name);
      const std::string type = settings_.String(Named("backends", name, "type"));
      RefuseRowsOfOtherTypes(name, type);
      if (type == "memory") {
        result_.backends.push_back({name, MemoryOf(settings_, name, LimitsOf(settings_), problems_)});
      } else if (type == "postgres") {
        result_.backends.push_back({name, PostgresOf(settings_, name, LimitsOf(settings_), problems_)});
        result_.backends.back().value_storage = ValueStorageOf(settings_, name, problems_);
      } else if (type == "redis") {
        result_.backends.push_back({name, RedisOf(settings_, name, LimitsOf(settings_), problems_)});
      } else {
        result_.backends.push_back({name, RocksDbOf(settings_, name, LimitsOf(settings_), problems_)});
      }
      result_.backends.back().resilience = ResilienceOf(settings_, fmt::format("backends.{}", name), problems_);
    }
    if (result_.backends.empty())
      result_.backends.push_back({"local", DefaultRocksDb(settings_, "local", LimitsOf(settings_))});
    RefuseSharedPaths();
  }

  void ReadStores() {
    for (const std::string& name : settings_.Names("stores")) {
      CheckName("stores", name);
      StoreSettings store{name, settings_.String(Named("stores", name, "backend")), std::nullopt, LimitsOf(settings_)};
      const std::string ttl = Named("stores", name, "default_ttl");
      if (settings_.IsSet(ttl)) store.default_ttl = settings_.Duration(ttl);
      const std::string sliding = Named("stores", name, "sliding_ttl");
      if (settings_.IsSet(sliding)) store.sliding_ttl = settings_.Duration(sliding);
      store.resilience = ResilienceOf(settings_, Named("stores", name, "resilience"), problems_);
      CheckBackendOf(store);
      store.cache = CacheOf(settings_, store, result_.backends, problems_);
      result_.stores.push_back(std::move(store));
    }
    if (result_.stores.empty()) {
      if (result_.backends.size() == 1) {
        result_.stores.push_back({"main", result_.backends.front().name, std::nullopt, LimitsOf(settings_)});
      } else {
        Add("stores",
            "there are several backends and no store; say which store is built on which: "
            "stores: {main: {backend: NAME}}");
      }
    }
    ReadDefaultStore();
    ReadLocksOfStores(settings_, &result_, problems_);
    ReadFailoverOfStores(settings_, &result_, problems_);
    ReadMovesOfStores(settings_, &result_, problems_);
    ReadCheckpoints(settings_, &result_);
    ReadBackups(settings_, &result_, problems_);
    ReadBackupSource(settings_, &result_, problems_);
    ReadReplicasOfStores(settings_, &result_, problems_);
    ReadWriteQueuesOfStores(settings_, &result_, problems_);
    ReadChangesOfStores(settings_, &result_, problems_);
  }

  void ReadOthers() {
    ReadListeners();
    ReadExecution();
    ReadCoordination();
    ReadTenancy(settings_, &result_, problems_);
    if (settings_.Duration("timeouts.default") > settings_.Duration("timeouts.maximum")) {
      Add("timeouts.default", "is above timeouts.maximum; lower it or raise the maximum");
    }
    const bool same_port = result_.listen.port != 0 && result_.listen.port == result_.admin.port;
    if (same_port) Add("admin.port", "is the same as listen.port; the two need ports of their own");
  }

  ServiceSettings Take() { return std::move(result_); }

 private:
  void Add(std::string_view setting, std::string message) {
    problems_->push_back({fmt::format("setting {}", setting), std::move(message)});
  }

  // Names stand in URLs, labels and paths.
  void CheckName(std::string_view group, const std::string& name) {
    static const std::regex kName("[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?");
    if (!std::regex_match(name, kName)) {
      Add(fmt::format("{}.{}", group, name),
          "the name must be 1 to 63 lower-case letters, digits, '-' and '_', and begin and end with a letter or digit");
    }
  }

  void RefuseRowsOfOtherTypes(const std::string& name, const std::string& type) {
    for (const std::string_view row : RowsOfOtherTypes(type)) {
      const std::string full = Named("backends", name, row);
      if (!settings_.IsSet(full)) continue;
      Add(full, fmt::format("has no meaning for a backend of type {}; leave it out", type));
    }
  }

  void RefuseSharedPaths() {
    std::map<std::string, std::string> owners;
    for (const BackendSettings& backend : result_.backends) {
      const auto* rocksdb = std::get_if<storage::RocksDbOptions>(&backend.options);
      if (rocksdb == nullptr) continue;
      const std::string path = std::filesystem::path(rocksdb->path).lexically_normal().string();
      const auto [owner, is_new] = owners.emplace(path, backend.name);
      if (!is_new) {
        Add(Named("backends", backend.name, "path"),
            fmt::format("is the same folder as that of backend {}; each needs one of its own", owner->second));
      }
    }
  }

  void CheckBackendOf(const StoreSettings& store) {
    const std::string row = Named("stores", store.name, "backend");
    if (store.backend.empty()) return Add(row, "is missing; name one of the backends");
    const bool exists = std::any_of(result_.backends.begin(), result_.backends.end(),
                                    [&](const BackendSettings& backend) { return backend.name == store.backend; });
    if (!exists) Add(row, fmt::format("there is no backend \"{}\"; name one of the backends", store.backend));
  }

  void ReadDefaultStore() {
    result_.default_store = settings_.String("default_store");
    if (result_.stores.empty()) return;
    if (result_.default_store.empty()) {
      if (result_.stores.size() > 1) return Add("default_store", "is missing; with several stores, name one of them");
      result_.default_store = result_.stores.front().name;
      return;
    }
    const bool exists = std::any_of(result_.stores.begin(), result_.stores.end(),
                                    [&](const StoreSettings& store) { return store.name == result_.default_store; });
    if (!exists) {
      Add("default_store", fmt::format("there is no store \"{}\"; name one of the stores", result_.default_store));
    }
  }

  void ReadTls() {
    api::TlsOptions tls;
    tls.certificate = settings_.String("listen.tls.certificate");
    tls.key = settings_.String("listen.tls.key");
    tls.client_ca = settings_.String("listen.tls.client_ca");
    if (tls.certificate.empty() != tls.key.empty()) {
      const bool key = tls.key.empty();
      Add(key ? "listen.tls.key" : "listen.tls.certificate",
          fmt::format("is missing; listen.tls.{} needs it", key ? "certificate" : "key"));
    } else if (!tls.client_ca.empty() && tls.certificate.empty()) {
      Add("listen.tls.client_ca", "has no meaning without listen.tls.certificate and listen.tls.key; give them, too");
    }
    if (!tls.certificate.empty()) result_.listen.tls = std::move(tls);
  }

  void ReadListeners() {
    result_.listen.address = settings_.String("listen.address");
    result_.listen.port = static_cast<std::uint16_t>(settings_.Integer("listen.port"));
    result_.listen.threads = static_cast<int>(settings_.Integer("listen.threads"));
    ReadTls();
    api::ServerLimits& limits = result_.listen.limits;
    limits.max_connections = Number(settings_, "limits.connections");
    limits.max_request_line_bytes = Size(settings_, "limits.request_line");
    limits.max_header_bytes = Size(settings_, "limits.header");
    limits.max_header_count = Number(settings_, "limits.header_count");
    limits.max_connections_per_address = Number(settings_, "limits.connections_per_address");
    limits.max_requests = Number(settings_, "limits.requests");
    limits.reserved_descriptors = Number(settings_, "limits.reserved_descriptors");
    for (const BackendSettings& backend : result_.backends) {
      const auto* rocksdb = std::get_if<storage::RocksDbOptions>(&backend.options);
      if (rocksdb != nullptr) limits.reserved_descriptors += static_cast<std::size_t>(rocksdb->max_open_files);
    }
    limits.max_trailer_bytes = Size(settings_, "limits.trailer");
    limits.max_chunk_line_bytes = Size(settings_, "limits.chunk_line");
    limits.header_timeout = Time(settings_, "timeouts.header");
    limits.body_timeout = Time(settings_, "timeouts.body");
    limits.idle_timeout = Time(settings_, "timeouts.idle");
    limits.write_timeout = Time(settings_, "timeouts.write");
    limits.linger_timeout = Time(settings_, "timeouts.linger");
    result_.admin.address = settings_.String("admin.address");
    result_.admin.port = static_cast<std::uint16_t>(settings_.Integer("admin.port"));
    result_.log.component = "holdfast";
    result_.log.level = Chosen<log::Level>(settings_.String("log.level"), {{"debug", log::Level::kDebug},
                                                                           {"info", log::Level::kInfo},
                                                                           {"warn", log::Level::kWarn},
                                                                           {"error", log::Level::kError}});
    result_.log.format = Chosen<log::Format>(
        settings_.String("log.format"),
        {{"auto", log::Format::kAuto}, {"json", log::Format::kJson}, {"human", log::Format::kHuman}});
  }

  void ReadExecution() {
    result_.api.default_timeout = settings_.Duration("timeouts.default");
    result_.api.maximum_timeout = settings_.Duration("timeouts.maximum");
    transactions::ManagerOptions& transactions = result_.api.transactions;
    transactions.default_timeout = settings_.Duration("transactions.default_timeout");
    transactions.maximum_timeout = settings_.Duration("transactions.maximum_timeout");
    transactions.max_open = Number(settings_, "transactions.open");
    transactions.max_open_per_tenant = Number(settings_, "transactions.open_per_namespace");
    transactions.max_total_bytes = Size(settings_, "transactions.total_bytes");
    transactions.session.max_operations = Number(settings_, "transactions.operations");
    transactions.session.max_bytes = Size(settings_, "transactions.bytes");
    transactions.session.max_savepoints = Number(settings_, "transactions.savepoints");
    result_.api.once.ttl = settings_.Duration("idempotency.ttl");
    result_.api.once.max_answer_bytes = Size(settings_, "idempotency.answer");
    if (transactions.default_timeout > transactions.maximum_timeout) {
      Add("transactions.default_timeout", "is above transactions.maximum_timeout; lower it, or raise the other");
    }
    result_.api.max_batch_body_bytes = Size(settings_, "limits.batch_body");
    result_.api.max_snapshot_bytes = Size(settings_, "limits.snapshot");
    result_.api.max_batch_response_bytes = Size(settings_, "limits.batch_response");
    result_.api.max_page_entries = Number(settings_, "limits.page_entries");
    result_.api.max_examined_entries = Number(settings_, "limits.page_examined");
    result_.api.collections.max_indexes = Number(settings_, "limits.collection_indexes");
    result_.api.collections.max_path_depth = Number(settings_, "limits.index_depth");
    result_.api.collections.max_value_bytes = Number(settings_, "limits.indexed_value");
    result_.api.collections.max_examined = Number(settings_, "limits.documents_examined");
    result_.executor.max_queued_operations = Number(settings_, "executor.queued_operations");
    result_.executor.max_queued_bytes = Size(settings_, "executor.queued_bytes");
    result_.executor.max_batch_operations = Number(settings_, "executor.batch_operations");
    result_.executor.max_batch_bytes = Size(settings_, "executor.batch_bytes");
    result_.executor.gather_operations = Number(settings_, "executor.gather_operations");
    result_.executor.gather_time = settings_.Duration("executor.gather_time");
    result_.executor.pool_threads = static_cast<int>(settings_.Integer("executor.threads"));
    result_.executor.max_queued_tasks = Number(settings_, "executor.queued_tasks");
    result_.health.interval = Time(settings_, "health.interval");
    result_.health.timeout = Time(settings_, "health.timeout");
    result_.migrations.lock_timeout = Time(settings_, "migrations.lock_timeout");
    result_.migrations.statement_timeout = Time(settings_, "migrations.statement_timeout");
    result_.migrations.lock_attempts = static_cast<int>(settings_.Integer("migrations.lock_attempts"));
    result_.migrations.runner_wait = Time(settings_, "migrations.runner_wait");
    result_.migrations.maintenance_interval = Time(settings_, "migrations.maintenance_interval");
    result_.migrations.vacuum_dead_rows = settings_.Integer("migrations.vacuum_dead_rows");
    result_.migrations.vacuum_dead_percent = settings_.Integer("migrations.vacuum_dead_percent");
    result_.start_timeout = settings_.Duration("health.start");
    result_.drain_timeout = settings_.Duration("shutdown.drain");
    result_.shutdown_delay = settings_.Duration("shutdown.delay");
    result_.hot_keys.tracked = Number(settings_, "hot_keys.tracked");
    result_.hot_keys.sample = static_cast<std::uint32_t>(settings_.Integer("hot_keys.sample"));
    result_.api.access_log = Chosen<api::AccessLog>(
        settings_.String("log.access"),
        {{"off", api::AccessLog::kOff}, {"errors", api::AccessLog::kErrors}, {"all", api::AccessLog::kAll}});
    result_.tracing.endpoint = settings_.String("tracing.endpoint");
    result_.tracing.sample_percent = static_cast<int>(settings_.Integer("tracing.sample_percent"));
    result_.tracing.max_queue = Number(settings_, "tracing.queue");
    result_.tracing.timeout = settings_.Duration("tracing.timeout");
    result_.traced_calls = Number(settings_, "tracing.backend_calls");
  }

  void ReadCoordination() {
    coordination::CoordinationOptions& options = result_.coordination;
    result_.lock_quorum = QuorumOf(settings_);
    options.max_owner_bytes = Size(settings_, "locks.owner");
    options.locks.max_waiters_per_lock = Number(settings_, "locks.waiters_per_lock");
    options.locks.max_waiters = Number(settings_, "locks.waiters");
    options.feed.max_events = Number(settings_, "watch.history_events");
    options.feed.max_bytes = Size(settings_, "watch.history_bytes");
    options.heartbeat = settings_.Duration("streams.heartbeat");
    options.subscribers.max_total = Number(settings_, "streams.total");
    options.subscribers.max_per_namespace = Number(settings_, "streams.per_namespace");
    options.max_message_bytes = Size(settings_, "channels.message");
    options.channels.max_queued_messages = Number(settings_, "channels.queued_messages");
    options.channels.max_queued_bytes = Size(settings_, "channels.queued_bytes");
    options.channels.max_total_queued_bytes = Size(settings_, "channels.total_queued_bytes");
    const std::size_t largest =
        options.max_message_bytes + Size(settings_, "limits.key") + coordination::kMessageOverhead;
    if (options.channels.max_queued_bytes < largest) {
      Add("channels.queued_bytes", "has no room for the largest message; raise it or lower channels.message");
    }
    if (options.channels.max_total_queued_bytes < options.channels.max_queued_bytes) {
      Add("channels.total_queued_bytes", "is below channels.queued_bytes; raise it or lower that");
    }
  }

  const Settings& settings_;
  std::vector<Problem>* problems_;
  ServiceSettings result_;
};

// Read by the command line and by the tests.
constexpr std::string_view kOtherVariables[] = {"HOLDFAST_URL", "HOLDFAST_ADMIN_URL", "HOLDFAST_CONFIG",
                                                "HOLDFAST_MIGRATION_URL", "HOLDFAST_SEED"};

bool IsKubernetesServiceVariable(std::string_view name, std::string_view value) {
  return name.find("_SERVICE_HOST") != std::string_view::npos || name.find("_SERVICE_PORT") != std::string_view::npos ||
         value.starts_with("tcp://") || value.starts_with("udp://") || name.find("_TCP_") != std::string_view::npos ||
         name.find("_UDP_") != std::string_view::npos;
}

}  // namespace

std::optional<ServiceSettings> Interpret(const Settings& settings, std::vector<Problem>* problems) {
  const std::size_t before = problems->size();
  Interpreter interpreter(settings, problems);
  interpreter.ReadBackends();
  interpreter.ReadStores();
  interpreter.ReadOthers();
  if (problems->size() != before) return std::nullopt;
  return interpreter.Take();
}

std::map<std::string, std::string> SettingsEnvironment(const char* const* environment) {
  std::map<std::string, std::string> chosen;
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    const std::size_t equals = entry.find('=');
    if (!entry.starts_with("HOLDFAST_") || equals == std::string_view::npos) continue;
    const std::string_view name = entry.substr(0, equals);
    const std::string_view value = entry.substr(equals + 1);
    const bool is_setting =
        std::find(std::begin(kOtherVariables), std::end(kOtherVariables), name) == std::end(kOtherVariables);
    if (is_setting && !IsKubernetesServiceVariable(name, value)) chosen.emplace(name, value);
  }
  return chosen;
}

}  // namespace holdfast::service
