// The configuration of the state service, in the service's own keys (docs/configuration.md).
#include <algorithm>

#include "base/config/yaml.h"
#include "operator/resources/backup_place.h"
#include "operator/resources/build.h"
#include "operator/resources/names.h"
#include "operator/resources/postgres.h"
#include "operator/resources/redis.h"
#include "operator/resources/store_resilience.h"

namespace holdfast::resources {
namespace {

constexpr char kAccessFile[] = "access.yaml";
constexpr char kBackupPrincipal[] = "storagebackups";
// Connections still come to a pod that is ending, until every node has heard of it. With the 30 s of draining behind it
// within the pods' grace (service_pods.cc).
constexpr char kShutdownDelay[] = "5s";
// For as long a pod that was deleted by force may go on beside its successor: above the pods' grace.
constexpr char kLockWait[] = "60s";

template <typename Value>
void SetGiven(kube::Json& settings, const char* name, const std::optional<Value>& value) {
  if (value) settings[name] = *value;
}

kube::Json BackendSettings(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                           const BuildOptions& options) {
  if (backend.has_schema()) return PostgresServiceSettings(cluster, backend, options.LoginOf(backend.name));
  if (backend.redis() != nullptr || backend.external_redis() != nullptr) {
    const std::vector<api::StoreSpec>& stores = cluster.spec.stores;
    const bool has_durable_store = std::any_of(stores.begin(), stores.end(), [&](const api::StoreSpec& store) {
      const api::StoreMove* move = api::FindMove(cluster.moves, store.name);
      const bool moves_there = move != nullptr && move->to == backend.name;
      return store.durable && (store.backend == backend.name || moves_there);
    });
    // A server that forgets at a crash what it granted would grant it again.
    const bool durable = has_durable_store || cluster.spec.KeepsLocks(backend.name);
    return RedisServiceSettings(cluster, backend, durable);
  }
  if (const api::MemoryBackend* memory = backend.memory()) {
    kube::Json settings = {{"type", "memory"}, {"max_bytes", memory->max_bytes}};
    if (cluster.spec.IsCache(backend)) settings["eviction"] = "lru";
    SetGiven(settings, "compression", backend.compression);
    return settings;
  }
  const api::EmbeddedBackend& embedded = *backend.embedded();
  const bool replica = cluster.spec.IsReplica(backend);
  kube::Json settings = {{"type", "rocksdb"},
                         {"path", replica ? PathIn(PathIn(kReplicasPath, backend.name), kReplicaFolder) : backend.name},
                         {"lock_wait", kLockWait},
                         {"durability", "sync"},
                         {"cache_size", embedded.cache_size},
                         {"compression", embedded.compression}};
  SetGiven(settings, "archived_log_size", embedded.archived_log_size);
  return settings;
}

void AddWriteQueue(const api::StoreWriteQueue& queue, kube::Json& settings) {
  settings["write_queue"] = queue.backend;
  if (queue.mode == api::WriteMode::kThrough) return;
  settings["write"] = queue.mode == api::WriteMode::kBack ? "back" : "behind";
  SetGiven(settings, "write_queue_entries", queue.entries);
  SetGiven(settings, "write_queue_bytes", queue.bytes);
  SetGiven(settings, "write_back_delay", queue.back_delay);
  SetGiven(settings, "write_call_timeout", queue.call_timeout);
  SetGiven(settings, "write_retry_max", queue.retry_max);
  SetGiven(settings, "write_lookup_timeout", queue.lookup_timeout);
  SetGiven(settings, "write_conflict_ttl", queue.conflict_ttl);
}

void AddReplicas(const api::StoreReplicas& replicas, kube::Json& settings) {
  settings["replicas"] = std::vector<std::string>(replicas.backends.begin() + 1, replicas.backends.end());
  if (replicas.eventual) settings["replica_mode"] = "eventual";
  SetGiven(settings, "replica_write_quorum", replicas.write_quorum);
  SetGiven(settings, "replica_read_quorum", replicas.read_quorum);
  SetGiven(settings, "replica_call_timeout", replicas.call_timeout);
  SetGiven(settings, "replica_retry_interval", replicas.retry_interval);
  SetGiven(settings, "replica_queue_operations", replicas.queue_operations);
  SetGiven(settings, "replica_queue_bytes", replicas.queue_bytes);
  SetGiven(settings, "replica_conflict_ttl", replicas.conflict_ttl);
  SetGiven(settings, "replica_conflicts", replicas.conflicts);
  SetGiven(settings, "replica_compare_interval", replicas.compare_interval);
  SetGiven(settings, "replica_compare_rate", replicas.compare_rate);
}

kube::Json StoreSettings(const api::StoreSpec& store, const api::StoreMove* move) {
  kube::Json settings = {{"backend", store.backend}};
  if (move != nullptr && move->moving()) {
    settings["migrate_to"] = move->to;
    settings["migrate_batch"] = move->keys_at_once;
    settings["migrate_rate"] = move->keys_per_second;
  }
  if (store.default_ttl) settings["default_ttl"] = *store.default_ttl;
  if (!store.lock_backends.empty()) settings["lock_backends"] = store.lock_backends;
  if (store.cache) {
    settings["cache"] = store.cache->backend;
    settings["cache_ttl"] = store.cache->ttl;
  }
  if (!store.resilience.empty()) settings["resilience"] = ResilienceSettings(store.resilience);
  if (store.change_archive) settings["change_archive"] = true;
  if (store.write_queue) AddWriteQueue(*store.write_queue, settings);
  if (store.replicas) AddReplicas(*store.replicas, settings);
  if (const auto& secondary = store.secondary) {
    settings["failover"] = secondary->backend;
    settings["failover_max_lag"] = secondary->max_lag;
    if (secondary->takes_writes) {
      settings["failover_mode"] = "read_write";
      // An embedded backend is there: a second pod waits for its lock before it serves anything.
      settings["failover_sole_instance"] = true;
    }
  }
  return settings;
}

// Whether the operator itself has a token of the service, to steer the move of a store or to have backups made with.
bool HasCallers(const api::StorageCluster& cluster, const BuildOptions& options) {
  return !options.backup_caller.empty() ||
         std::any_of(cluster.moves.begin(), cluster.moves.end(),
                     [](const api::StoreMove& move) { return move.moving() && !move.caller.empty(); });
}

// Pods of the cluster's own namespace may use their own namespace's entries, but not change its quota.
kube::Json AccessRules(const api::StorageCluster& cluster, const BuildOptions& options) {
  kube::Json access;
  access["rules"] =
      kube::Json::array({{{"principals", {std::string("system:serviceaccount:").append(cluster.ns).append(":*")}},
                          {"verbs", {"read", "write", "delete", "list"}}}});
  for (const api::StoreMove& move : cluster.moves) {
    if (!move.moving() || move.caller.empty()) continue;
    const std::string name = "storagemigration-" + move.store;
    access["tokens"].push_back({{"name", name}, {"sha256", move.caller}, {"namespace", cluster.ns}});
    access["rules"].push_back({{"principals", {name}}, {"verbs", {"admin"}}, {"stores", {move.store}}});
  }
  if (!options.backup_caller.empty()) {
    // A backup holds every namespace of its store.
    access["tokens"].push_back(
        {{"name", kBackupPrincipal}, {"sha256", options.backup_caller}, {"namespace", cluster.ns}});
    access["rules"].push_back({{"principals", {kBackupPrincipal}}, {"verbs", {"admin"}}, {"namespaces", {"*"}}});
  }
  return access;
}

kube::Json ServiceSettings(const api::StorageCluster& cluster, const BuildOptions& options) {
  const api::StorageClusterSpec& spec = cluster.spec;
  kube::Json backends = kube::Json::object();
  for (const api::BackendSpec& backend : spec.backends) {
    backends[backend.name] = BackendSettings(cluster, backend, options);
  }
  kube::Json stores = kube::Json::object();
  for (const api::StoreSpec& store : spec.stores) {
    stores[store.name] = StoreSettings(store, api::FindMove(cluster.moves, store.name));
    if (spec.backups) AddBackupRetention(*spec.backups, stores[store.name]);
  }
  kube::Json settings = {{"listen", {{"address", "0.0.0.0"}, {"port", kDataPort}}},
                         {"admin", {{"address", "0.0.0.0"}, {"port", kAdminPort}}},
                         {"data_dir", kDataPath},
                         {"backends", std::move(backends)},
                         {"stores", std::move(stores)},
                         {"default_store", spec.default_store},
                         {"shutdown", {{"delay", kShutdownDelay}}}};
  if (spec.service.service_account_auth) {
    settings["auth"] = {{"mode", HasCallers(cluster, options) ? "both" : "serviceaccount"},
                        {"tokens_file", PathIn(kConfigPath, kAccessFile)}};
  }
  if (spec.backups || spec.backup_source) settings["backups"] = BackupPlaceSettings(spec);
  if (const auto& tls = spec.service.tls) {
    settings["listen"]["tls"] = {{"certificate", PathIn(kTlsPath, kCertificateFile)},
                                 {"key", PathIn(kTlsPath, kKeyFile)}};
    if (tls->client_authority) settings["listen"]["tls"]["client_ca"] = PathIn(kClientAuthorityPath, kAuthorityFile);
  }
  return settings;
}

}  // namespace

kube::Json BuildConfigMap(const api::StorageCluster& cluster, const BuildOptions& options) {
  kube::Json object = ChildObject(cluster, kube::kinds::kConfigMap, ConfigMapName(cluster.name));
  object["data"][kConfigFile] = config::ToYaml(ServiceSettings(cluster, options));
  if (cluster.spec.service.service_account_auth)
    object["data"][kAccessFile] = config::ToYaml(AccessRules(cluster, options));
  return object;
}

kube::Json BuildAuthorityConfigMap(const api::StorageCluster& cluster, const BuildOptions& options) {
  kube::Json object = ChildObject(cluster, kube::kinds::kConfigMap, AuthorityName(cluster.name));
  object["data"] = kube::Json::object();
  if (!options.authorities.empty()) object["data"][kAuthorityFile] = options.authorities;
  return object;
}

}  // namespace holdfast::resources
