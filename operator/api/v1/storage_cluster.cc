#include "operator/api/v1/storage_cluster.h"

#include <algorithm>

#include "base/time/duration.h"
#include "operator/api/v1/backup_place_fields.h"
#include "operator/api/v1/postgres_backup_fields.h"
#include "operator/api/v1/postgres_fields.h"
#include "operator/api/v1/redis_fields.h"
#include "operator/api/v1/storage_cluster_fields.h"
#include "operator/api/v1/store_rules.h"

namespace holdfast::api {
namespace {

std::string Text(const Json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

std::optional<std::string> OptionalText(const Json& object, const char* name) {
  if (!object.contains(name)) return std::nullopt;
  return object.at(name).get<std::string>();
}

TerminationPolicy PolicyFromText(std::string_view text) {
  if (text == "Delete") return TerminationPolicy::kDelete;
  if (text == "DoNotTerminate") return TerminationPolicy::kDoNotTerminate;
  return TerminationPolicy::kRetain;
}

// The readers below take what Validate has accepted.
std::optional<Autogrow> ReadAutogrow(const Json& storage) {
  if (!storage.contains("autogrow")) return std::nullopt;
  const Json& object = storage.at("autogrow");
  const auto interval = ParseDuration(object.at("interval").get<std::string>());
  return Autogrow{.threshold_percent = object.at("threshold").get<std::int64_t>(),
                  .max_size = object.at("maxSize").get<std::string>(),
                  .increment = OptionalText(object, "increment"),
                  .interval = interval.ok() ? *interval : std::chrono::microseconds{}};
}

PostgresBackend ReadPostgres(const Json& object) {
  PostgresBackend postgres;
  postgres.instances = object.value("instances", kDefaultPostgresInstances);
  postgres.version = object.value("version", std::string(kDefaultPostgresVersion));
  postgres.storage_size = object.at("storage").at("size").get<std::string>();
  postgres.storage_class_name = OptionalText(object.at("storage"), "storageClassName");
  postgres.autogrow = ReadAutogrow(object.at("storage"));
  postgres.synchronous_standbys = object.contains("synchronous")
                                      ? object.at("synchronous").at("standbys").get<std::int64_t>()
                                      : std::min<std::int64_t>(1, postgres.instances - 1);
  if (object.contains("pooler")) {
    const Json& pooler = object.at("pooler");
    postgres.pooler_instances = pooler.at("instances").get<std::int64_t>();
    if (pooler.at("mode").get<std::string>() == "session") postgres.pooler_mode = PoolerMode::kSession;
  }
  const Json parameters = object.value("parameters", Json::object());
  for (const auto& [name, value] : parameters.items()) postgres.parameters[name] = value.get<std::string>();
  const Json resources = object.value("resources", Json::object());
  postgres.resource_requests = resources.value("requests", Json::object());
  postgres.resource_limits = resources.value("limits", Json::object());
  postgres.backup = ReadPostgresBackup(object);
  postgres.restore = ReadPostgresRestore(object);
  return postgres;
}

RedisFsync FsyncFromText(std::string_view text) {
  if (text == "always") return RedisFsync::kAlways;
  return text == "no" ? RedisFsync::kNever : RedisFsync::kEverySecond;
}

// The defaults of the structure are those of the fields.
RedisSentinel ReadSentinel(const Json& object) {
  RedisSentinel sentinel;
  sentinel.sentinels = object.value("replicas", sentinel.sentinels);
  sentinel.down_after_milliseconds = object.value("downAfterMilliseconds", sentinel.down_after_milliseconds);
  sentinel.failover_timeout_milliseconds =
      object.value("failoverTimeoutMilliseconds", sentinel.failover_timeout_milliseconds);
  sentinel.min_replicas_to_write = object.value("minReplicasToWrite", sentinel.min_replicas_to_write);
  sentinel.max_lag_seconds = object.value("maxLagSeconds", sentinel.max_lag_seconds);
  return sentinel;
}

RedisShards ReadShards(const Json& redis) {
  RedisShards shards;
  shards.count = redis.value("shards", shards.count);
  shards.replicas = redis.value("replicasPerShard", shards.replicas);
  const Json object = redis.value("cluster", Json::object());
  shards.node_timeout_milliseconds = object.value("nodeTimeoutMilliseconds", shards.node_timeout_milliseconds);
  shards.min_replicas_to_write = object.value("minReplicasToWrite", shards.min_replicas_to_write);
  shards.slots_at_once = object.value("slotsAtOnce", shards.slots_at_once);
  shards.keys_at_once = object.value("keysAtOnce", shards.keys_at_once);
  shards.move_pause_milliseconds = object.value("movePauseMilliseconds", shards.move_pause_milliseconds);
  shards.max_lag_seconds = object.value("maxLagSeconds", shards.max_lag_seconds);
  shards.partitions = object.value("partitions", shards.partitions);
  shards.by_namespace = Text(object, "spread") == kSpreadByNamespace;
  return shards;
}

RedisBackend ReadRedis(const Json& object) {
  RedisBackend redis;
  redis.storage_size = object.at("storage").at("size").get<std::string>();
  redis.storage_class_name = OptionalText(object.at("storage"), "storageClassName");
  redis.max_memory = object.value("maxMemory", std::string(kDefaultRedisMemory));
  redis.eviction_policy = object.value("evictionPolicy", std::string(kDefaultRedisEviction));
  if (object.contains("persistence")) {
    const Json& persistence = object.at("persistence");
    redis.append_only = persistence.at("appendOnly").get<bool>();
    redis.fsync = FsyncFromText(persistence.at("fsync").get<std::string>());
    redis.snapshots = persistence.at("snapshots").get<bool>();
  }
  const Json resources = object.value("resources", Json::object());
  redis.resource_requests = resources.value("requests", Json::object());
  redis.resource_limits = resources.value("limits", Json::object());
  redis.image = Text(object, "image");
  if (Text(object, "mode") == kRedisSentinelMode) {
    redis.instances = object.value("instances", kDefaultRedisInstances);
    redis.sentinel = ReadSentinel(object.value("sentinel", Json::object()));
  } else if (Text(object, "mode") == kRedisClusterMode) {
    redis.shards = ReadShards(object);
    redis.instances = redis.shards->count * (1 + redis.shards->replicas);
  }
  return redis;
}

ExternalRedisBackend ReadExternalRedis(const Json& object) {
  return {.secret_name = object.at("secretName").get<std::string>(),
          .password_key = OptionalText(object, "passwordKey"),
          .authority_key = OptionalText(object, "authorityKey")};
}

BackendSpec ReadBackend(const Json& object) {
  BackendSpec backend;
  backend.name = object.at("name").get<std::string>();
  if (object.contains("embedded")) {
    const Json& embedded = object.at("embedded");
    backend.kind = EmbeddedBackend{.storage_size = embedded.at("storage").at("size").get<std::string>(),
                                   .storage_class_name = OptionalText(embedded.at("storage"), "storageClassName"),
                                   .cache_size = embedded.at("cacheSize").get<std::string>(),
                                   .compression = embedded.at("compression").get<std::string>(),
                                   .autogrow = ReadAutogrow(embedded.at("storage")),
                                   .archived_log_size = OptionalText(embedded, "archivedLogSize")};
  } else if (object.contains("postgres") && object.at("postgres").contains("external")) {
    const Json& reference = object.at("postgres").at("external").at("urlSecretRef");
    backend.kind = ExternalPostgresBackend{.secret_name = reference.at("name").get<std::string>(),
                                           .secret_key = reference.at("key").get<std::string>()};
  } else if (object.contains("postgres")) {
    backend.kind = ReadPostgres(object.at("postgres"));
  } else if (object.contains("redis") && object.at("redis").contains("external")) {
    backend.kind = ReadExternalRedis(object.at("redis").at("external"));
  } else if (object.contains("redis")) {
    backend.kind = ReadRedis(object.at("redis"));
  } else {
    backend.kind = MemoryBackend{.max_bytes = object.at("memory").at("maxBytes").get<std::string>()};
  }
  for (const char* kind : {"memory", "postgres", "redis"}) {
    if (object.contains(kind)) backend.compression = OptionalText(object.at(kind), "compression");
  }
  return backend;
}

std::optional<ServiceTls> ReadTls(const Json& service) {
  if (!service.contains("tls") || !service.at("tls").at("enabled").get<bool>()) return std::nullopt;
  const Json& object = service.at("tls");
  ServiceTls tls;
  tls.secret_name = OptionalText(object, "secretName").value_or("");
  if (!object.contains("clientCA")) return tls;
  const Json& authority = object.at("clientCA");
  const bool in_config_map = authority.contains("configMapRef");
  const Json& reference = authority.at(in_config_map ? "configMapRef" : "secretRef");
  tls.client_authority = ClientAuthority{.in_config_map = in_config_map,
                                         .name = reference.at("name").get<std::string>(),
                                         .key = reference.at("key").get<std::string>()};
  tls.operator_secret_name = OptionalText(object, "operatorSecretName").value_or("");
  return tls;
}

ServiceSpec ReadService(const Json& object) {
  ServiceSpec service;
  service.replicas = object.at("replicas").get<std::int64_t>();
  if (object.contains("autoscaling")) {
    const Json& autoscaling = object.at("autoscaling");
    service.autoscaling = Autoscaling{.min_replicas = autoscaling.at("minReplicas").get<std::int64_t>(),
                                      .max_replicas = autoscaling.at("maxReplicas").get<std::int64_t>(),
                                      .target_cpu_percent = autoscaling.at("targetCpuPercent").get<std::int64_t>()};
  }
  service.service_account_auth =
      object.contains("auth") && object.at("auth").at("mode").get<std::string>() == "ServiceAccount";
  service.tls = ReadTls(object);
  const Json resources = object.value("resources", Json::object());
  service.resource_requests = resources.value("requests", Json::object());
  service.resource_limits = resources.value("limits", Json::object());
  return service;
}

std::optional<std::int64_t> OptionalNumber(const Json& object, const char* name) {
  if (!object.contains(name)) return std::nullopt;
  return object.at(name).get<std::int64_t>();
}

std::optional<StoreWriteQueue> ReadWriteQueue(const Json& tiered) {
  if (!tiered.contains("writeQueue")) return std::nullopt;
  const std::string write = tiered.at("write").get<std::string>();
  StoreWriteQueue queue{.backend = tiered.at("writeQueue").get<std::string>()};
  if (write == "Through") queue.mode = WriteMode::kThrough;
  if (write == "Back") queue.mode = WriteMode::kBack;
  queue.entries = OptionalNumber(tiered, "writeQueueEntries");
  queue.bytes = OptionalText(tiered, "writeQueueBytes");
  queue.back_delay = OptionalText(tiered, "writeBackDelay");
  queue.call_timeout = OptionalText(tiered, "writeCallTimeout");
  queue.retry_max = OptionalText(tiered, "writeRetryMax");
  queue.lookup_timeout = OptionalText(tiered, "writeLookupTimeout");
  queue.conflict_ttl = OptionalText(tiered, "writeConflictTtl");
  return queue;
}

StoreReplicas ReadReplicas(const Json& replicated) {
  StoreReplicas replicas;
  for (const Json& backend : replicated.at("backends")) replicas.backends.push_back(backend.get<std::string>());
  replicas.eventual = replicated.at("mode") == "Eventual";
  replicas.write_quorum = OptionalNumber(replicated, "writeQuorum");
  replicas.read_quorum = OptionalNumber(replicated, "readQuorum");
  replicas.call_timeout = OptionalText(replicated, "callTimeout");
  replicas.retry_interval = OptionalText(replicated, "retryInterval");
  replicas.queue_operations = OptionalNumber(replicated, "queueOperations");
  replicas.queue_bytes = OptionalText(replicated, "queueBytes");
  replicas.conflict_ttl = OptionalText(replicated, "conflictTtl");
  replicas.conflicts = OptionalNumber(replicated, "conflicts");
  replicas.compare_interval = OptionalText(replicated, "compareInterval");
  replicas.compare_rate = OptionalNumber(replicated, "compareRate");
  return replicas;
}

StoreSpec ReadStore(const Json& object) {
  StoreSpec store{.name = object.at("name").get<std::string>(),
                  .backend = RecordOf(object),
                  .default_ttl = OptionalText(object, "defaultTtl"),
                  .durable = object.value("durable", false)};
  if (object.contains("tiered")) {
    const Json& tiered = object.at("tiered");
    store.cache =
        StoreCache{.backend = tiered.at("cache").get<std::string>(), .ttl = tiered.at("ttl").get<std::string>()};
    store.write_queue = ReadWriteQueue(tiered);
  }
  if (object.contains("failover")) {
    const Json& failover = object.at("failover");
    store.secondary = StoreSecondary{.backend = failover.at("secondary").get<std::string>(),
                                     .takes_writes = failover.at("mode").get<std::string>() == "ReadWrite",
                                     .max_lag = failover.at("maxLag").get<std::string>()};
  }
  store.change_archive = object.value("changeArchive", false);
  store.lock_backends = object.value("lockBackends", store.lock_backends);
  store.resilience = object.value("resilience", Json::object());
  if (object.contains("replicated")) store.replicas = ReadReplicas(object.at("replicated"));
  return store;
}

StorageClusterSpec ReadSpec(const Json& object) {
  StorageClusterSpec spec;
  for (const Json& backend : object.at("backends")) spec.backends.push_back(ReadBackend(backend));
  for (const Json& store : object.at("stores")) spec.stores.push_back(ReadStore(store));
  spec.default_store = OptionalText(object, "defaultStore").value_or(spec.stores.front().name);
  spec.service = ReadService(object.at("service"));
  if (object.at("migrations").at("policy").get<std::string>() == "Manual") spec.migrations = MigrationPolicy::kManual;
  const Json& failover = object.at("failover");
  if (failover.at("mode").get<std::string>() == "Manual") spec.failover.mode = FailoverMode::kManual;
  spec.failover.max_lag_bytes = failover.at("maxLagBytes").get<std::int64_t>();
  spec.backups = ReadBackupPlace(object);
  spec.backup_source = ReadBackupSource(object);
  spec.termination_policy = PolicyFromText(object.at("terminationPolicy").get<std::string>());
  return spec;
}

// What the field table describes: the spec and the name, but not the status, which is ours to write.
Json Described(const Json& object) {
  Json described = Json::object();
  if (object.contains("metadata")) described["metadata"] = {{"name", Text(object.at("metadata"), "name")}};
  for (const auto& [name, value] : object.items()) {
    if (name != "metadata" && name != "status") described[name] = value;
  }
  ApplyDefaults(StorageClusterFields(), described);
  return described;
}

}  // namespace

bool StorageClusterSpec::IsCache(const BackendSpec& backend) const {
  return std::any_of(stores.begin(), stores.end(),
                     [&](const StoreSpec& store) { return store.cache && store.cache->backend == backend.name; });
}

bool StorageClusterSpec::IsReplica(const BackendSpec& backend) const {
  return std::any_of(stores.begin(), stores.end(), [&](const StoreSpec& store) {
    return store.replicas && std::find(store.replicas->backends.begin(), store.replicas->backends.end(),
                                       backend.name) != store.replicas->backends.end();
  });
}

bool StorageClusterSpec::KeepsOnlyCopies(const BackendSpec& backend) const {
  const bool copies = std::any_of(stores.begin(), stores.end(), [&](const StoreSpec& store) {
    return (store.cache && store.cache->backend == backend.name) ||
           (store.secondary && store.secondary->backend == backend.name);
  });
  return copies && std::none_of(stores.begin(), stores.end(),
                                [&](const StoreSpec& store) { return store.backend == backend.name; });
}

bool StorageClusterSpec::KeepsLocks(const std::string& backend) const {
  return std::any_of(stores.begin(), stores.end(), [&](const StoreSpec& store) {
    return std::find(store.lock_backends.begin(), store.lock_backends.end(), backend) != store.lock_backends.end();
  });
}

ParsedStorageCluster ParseStorageCluster(const Json& object, const Json* old) {
  ParsedStorageCluster parsed;
  if (!object.is_object()) {
    parsed.errors.push_back({"", "must be an object, not " + std::string(object.type_name())});
    return parsed;
  }
  if (Text(object, "apiVersion") != kApiVersion) {
    parsed.errors.push_back({"apiVersion", "must be " + std::string(kApiVersion)});
  }
  if (Text(object, "kind") != kStorageClusterKind) {
    parsed.errors.push_back({"kind", "must be " + std::string(kStorageClusterKind)});
  }
  if (!parsed.errors.empty()) return parsed;

  const Json described = Described(object);
  // What a former state breaks is no measure for the new one.
  Json old_described;
  const Json* former = nullptr;
  if (old != nullptr && old->is_object()) {
    old_described = Described(*old);
    std::vector<FieldError> old_errors;
    Validate(StorageClusterFields(), old_described, nullptr, "", &old_errors);
    if (old_errors.empty()) former = &old_described;
  }
  Validate(StorageClusterFields(), described, former, "", &parsed.errors);
  if (!parsed.errors.empty()) return parsed;

  const Json& metadata = object.at("metadata");
  StorageCluster cluster;
  cluster.ns = Text(metadata, "namespace");
  cluster.name = Text(metadata, "name");
  cluster.uid = Text(metadata, "uid");
  if (metadata.contains("generation") && metadata.at("generation").is_number_integer()) {
    cluster.generation = metadata.at("generation").get<std::int64_t>();
  }
  const Json annotations = metadata.value("annotations", Json::object());
  cluster.hibernated = Text(annotations, kHibernateAnnotation) == "true";
  cluster.apply_migrations = Text(annotations, kApplyMigrationsAnnotation);
  cluster.spec = ReadSpec(described.at("spec"));
  cluster.moves = MovesOf(object);
  PlaceStores(cluster.moves, &cluster.spec, &parsed.errors);
  if (!parsed.errors.empty()) return parsed;
  parsed.cluster = std::move(cluster);
  return parsed;
}

std::string Summarize(const std::vector<FieldError>& errors, std::size_t max_length) {
  std::string text;
  if (errors.size() > 1) text = std::to_string(errors.size()) + " errors: ";
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const std::string next = (i == 0 ? "" : "; ") + errors[i].ToString();
    if (text.size() + next.size() > max_length) {
      text += i == 0 ? next.substr(0, max_length - text.size()) : "; ...";
      break;
    }
    text += next;
  }
  return text;
}

TerminationPolicy TerminationPolicyOf(const Json& object) {
  if (!object.is_object() || !object.contains("spec")) return TerminationPolicy::kRetain;
  return PolicyFromText(Text(object.at("spec"), "terminationPolicy"));
}

Json StatusToJson(const StorageClusterStatus& status) {
  Json backends = Json::array();
  for (const BackendStatus& backend : status.backends) {
    Json entry = {{"name", backend.name}, {"type", backend.type}};
    if (!backend.claim_name.empty()) entry["claimName"] = backend.claim_name;
    if (!backend.requested.empty()) entry["requested"] = backend.requested;
    if (!backend.capacity.empty()) entry["capacity"] = backend.capacity;
    if (!backend.primary.empty()) entry["primary"] = backend.primary;
    if (backend.instances) entry["instances"] = *backend.instances;
    if (backend.ready_instances) entry["readyInstances"] = *backend.ready_instances;
    if (backend.sentinels) entry["sentinels"] = *backend.sentinels;
    if (backend.ready_sentinels) entry["readySentinels"] = *backend.ready_sentinels;
    if (!backend.phase.empty()) entry["phase"] = backend.phase;
    if (!backend.endpoint.empty()) entry["endpoint"] = backend.endpoint;
    backends.push_back(std::move(entry));
  }
  Json document = {{"observedGeneration", status.observed_generation},
                   {"replicas", status.replicas},
                   {"readyReplicas", status.ready_replicas},
                   {"selector", status.selector},
                   {"endpoint", status.endpoint},
                   {"stores", status.stores},
                   {"backends", std::move(backends)},
                   {"conditions", ConditionsToJson(status.conditions)}};
  if (!status.ca_config_map.empty()) document["caConfigMap"] = status.ca_config_map;
  return document;
}

}  // namespace holdfast::api
