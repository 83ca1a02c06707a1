// The service's settings: one table of rows (name, default, bounds, meaning), and what they come to once loaded.
// docs/configuration.md is printed from the table; a test compares the two.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/config/settings.h"
#include "base/http/http_listener.h"
#include "base/log/log.h"
#include "service/api/api_handler.h"
#include "service/backends/memory/memory_backend.h"
#include "service/backends/postgres/postgres_options.h"
#include "service/backends/redis/redis_options.h"
#include "service/backends/rocksdb/rocksdb_backend.h"
#include "service/backup/backup_options.h"
#include "service/composition/failover_backend.h"
#include "service/composition/replica_group.h"
#include "service/composition/tiered_backend.h"
#include "service/composition/write_behind_backend.h"
#include "service/coordination/quorum_locks.h"
#include "service/coordination/store_coordination.h"
#include "service/dual_write/dual_write_backend.h"
#include "service/durability/checkpoints.h"
#include "service/execution/executor.h"
#include "service/hot_keys/hot_keys.h"
#include "service/http/http_server.h"
#include "service/migrations/value_storage.h"
#include "service/resilience/guard.h"
#include "service/tenancy/access_control.h"
#include "service/tenancy/audit_log.h"
#include "service/tracing/otlp_exporter.h"

namespace holdfast::service {

struct BackendSettings {
  std::string name;
  std::variant<storage::MemoryOptions, storage::RocksDbOptions, storage::PostgresOptions, storage::RedisOptions>
      options;
  resilience::Options resilience = {};
  migrations::ValueStorage value_storage = {};  // of PostgreSQL
};

// Of a store that keeps copies in another backend.
struct CacheSettings {
  std::string backend;
  composition::TieredOptions options;
  storage::WarmLimits warm_limits = {};
  // At the start: which keys of which namespace, and for how long at most.
  std::vector<std::string> warm_prefixes = {};
  std::string warm_namespace = {};
  std::chrono::microseconds warm_time{};
};

// Of a store that acknowledges writes before its backend has them.
struct WriteQueueSettings {
  std::string backend;  // that keeps the queue
  composition::WriteBehindOptions options;
};

// Of a store that another backend answers for while its own does not.
struct FailoverSettings {
  std::string backend;
  composition::FailoverOptions options;
};

// Of a store on several backends.
struct ReplicaSettings {
  std::vector<std::string> backends;  // that of the store first
  composition::ReplicaOptions options;
};

// Of a store that moves to another backend; store, range and limits are those of the store.
struct MoveSettings {
  std::string backend;
  dual_write::MembershipOptions membership;
  dual_write::MoverOptions mover;
};

struct StoreSettings {
  std::string name;
  std::string backend;
  std::optional<std::chrono::microseconds> default_ttl;
  storage::Limits limits;  // what clients are held to
  std::optional<std::chrono::microseconds> sliding_ttl = {};
  std::optional<CacheSettings> cache = {};
  std::optional<FailoverSettings> failover = {};
  // On a majority of which its locks are kept; none: in its own backend.
  std::vector<std::string> lock_backends = {};
  std::optional<MoveSettings> move = {};
  std::optional<ReplicaSettings> replicas = {};
  std::optional<WriteQueueSettings> write_queue = {};  // beside cache
  durability::CheckpointOptions checkpoints = {};
  backup::BackupOptions backups = {};
  bool require_fencing = false;  // capabilities().fencing_survives_failover of its backend
  // Around all of it, as its clients see it; outside what each backend has.
  resilience::Options resilience = {};
};

// For `holdfast migrate`, see service/migrations/migrator.h; and service/schema_maintenance.h.
struct MigrationSettings {
  std::chrono::milliseconds lock_timeout{};
  std::chrono::milliseconds statement_timeout{};
  int lock_attempts = 0;
  std::chrono::milliseconds runner_wait{};
  std::chrono::milliseconds maintenance_interval{};  // of `serve`; 0 = never
  std::int64_t vacuum_dead_rows = 0;                 // 0 = never
  std::int64_t vacuum_dead_percent = 0;
};

struct ServiceSettings {
  api::ServerOptions listen;
  http::ListenerOptions admin;
  std::vector<BackendSettings> backends;
  std::vector<StoreSettings> stores;
  std::string default_store;
  api::ApiOptions api;
  execution::ExecutorOptions executor;
  coordination::CoordinationOptions coordination;
  tenancy::AccessOptions access;
  tenancy::AuditOptions audit;
  hot_keys::HotKeysOptions hot_keys;
  api::HealthOptions health;
  std::chrono::microseconds start_timeout{};   // how long the first health check of every backend may take
  std::chrono::microseconds shutdown_delay{};  // between /readyz 503 and the end of accepting
  std::chrono::microseconds drain_timeout{};
  tracing::OtlpOptions tracing;     // no endpoint: off
  std::uint64_t traced_calls = 64;  // of backends that one request's trace shows; 0: none
  log::Options log;
  MigrationSettings migrations;
  durability::CheckpointOptions checkpoints;  // of all stores; each has its own beside them
  coordination::QuorumOptions lock_quorum;    // of the stores with lock_backends
};

// The backend is one of a store's lock_backends, so no store's own.
bool KeepsOnlyLocks(const ServiceSettings& settings, std::string_view backend);

// The backend is one of a store's replicas, and that store's alone.
bool IsReplica(const ServiceSettings& settings, std::string_view backend);

// A store moves from the backend or to it.
bool MovesOn(const ServiceSettings& settings, std::string_view backend);

const config::SettingsTable& SettingsTable();
// docs/configuration.md, complete.
std::string ConfigurationMarkdown();

// What the rows mean together: which backends there are, which store is built of which. nullopt exactly when something
// was added to `problems`. Without any backend there is one RocksDB backend `local` under data_dir; with one backend
// and no store there is one store `main`.
std::optional<ServiceSettings> Interpret(const config::Settings& settings, std::vector<config::Problem>* problems);

// The part of the environment that is meant for the settings: neither the names others read (HOLDFAST_URL,
// HOLDFAST_CONFIG) nor what Kubernetes sets for a Service that is called holdfast (HOLDFAST_SERVICE_HOST,
// HOLDFAST_PORT=tcp://...).
std::map<std::string, std::string> SettingsEnvironment(const char* const* environment);

}  // namespace holdfast::service
