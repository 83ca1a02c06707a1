// StorageCluster as C++ data. Types hold no behaviour; what is allowed in them stands in storage_cluster_fields.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "operator/api/v1/condition.h"
#include "operator/api/v1/field.h"
#include "operator/api/v1/store_move.h"

namespace holdfast::api {

inline constexpr char kGroup[] = "storage.holdfast.dev";
inline constexpr char kApiVersion[] = "storage.holdfast.dev/v1";
inline constexpr char kStorageClusterKind[] = "StorageCluster";

// When a volume grows by itself.
struct Autogrow {
  std::int64_t threshold_percent = 80;  // of the file system that is in use
  std::string max_size;
  std::optional<std::string> increment;  // a quarter of the present size when absent
  std::chrono::microseconds interval{};  // between two growths, at least
};

// Sizes keep the user's spelling ("10Gi"), which is what goes into volumes and configuration; they are valid.
struct EmbeddedBackend {
  std::string storage_size;
  std::optional<std::string> storage_class_name;
  std::string cache_size;
  std::string compression;
  std::optional<Autogrow> autogrow = {};
  std::optional<std::string> archived_log_size = {};
};

struct MemoryBackend {
  std::string max_bytes;
};

enum class PoolerMode { kTransaction, kSession };

// In the cluster's namespace.
struct SecretKey {
  std::string name;
  std::string key;
};

// Where a repository of pgBackRest is when it is no volume. Valid.
struct S3Repository {
  std::string endpoint;  // https://HOST[:PORT]
  std::string bucket;
  std::string prefix;  // without slashes at the ends
  std::string region;
  bool path_style = true;
  SecretKey access_key;
  SecretKey secret_key;
  std::optional<SecretKey> authority = {};  // nothing = the image's own
};

// Backups by pgBackRest into a repository of the backend's own.
struct PostgresBackup {
  std::optional<S3Repository> s3 = {};  // nothing = a volume, with the next two
  std::string storage_size = {};
  std::optional<std::string> storage_class_name = {};
  std::string full_schedule = {};          // cron; not checked further than its form
  std::string differential_schedule = {};  // likewise; empty = none
  std::string time_zone = "UTC";           // not checked
  std::int64_t full_retention = 2;
  std::int64_t differential_retention = 0;   // 0 = as many as there are
  std::chrono::seconds timeout{14'400};      // of one backup
  std::optional<SecretKey> passphrase = {};  // nothing = not encrypted
};

// What a database is made of when its cluster is made.
struct PostgresRestore {
  std::string claim = {};  // of the repository; empty with s3
  std::optional<S3Repository> s3 = {};
  std::string to_time = {};  // RFC 3339; empty = everything that was archived
  std::optional<SecretKey> passphrase = {};
};

// PostgreSQL that the operator provisions.
struct PostgresBackend {
  std::int64_t instances = 3;
  std::string version = "15";  // major
  std::string storage_size;
  std::optional<std::string> storage_class_name;
  std::int64_t synchronous_standbys = 1;  // below `instances`; 0 = asynchronous
  std::int64_t pooler_instances = 2;      // 0 = no pooler
  PoolerMode pooler_mode = PoolerMode::kTransaction;
  std::map<std::string, std::string> parameters = {};  // all of them allowed (postgres_parameters.h)
  Json resource_requests = Json::object();             // of each instance
  Json resource_limits = Json::object();
  std::optional<Autogrow> autogrow = {};  // of each instance's volume
  std::optional<PostgresBackup> backup = {};
  std::optional<PostgresRestore> restore = {};
};

// PostgreSQL that somebody else runs. The url is never read by the operator: pods mount the Secret.
struct ExternalPostgresBackend {
  std::string secret_name;  // in the cluster's namespace
  std::string secret_key;
};

enum class RedisFsync { kAlways, kEverySecond, kNever };

// What watches over the servers of a Redis backend and chooses their master.
struct RedisSentinel {
  std::int64_t sentinels = 3;  // odd
  std::int64_t down_after_milliseconds = 5'000;
  std::int64_t failover_timeout_milliseconds = 60'000;
  std::int64_t min_replicas_to_write = 1;  // below the number of servers
  std::int64_t max_lag_seconds = 10;       // of those replicas
};

// The shards of a Redis Cluster.
struct RedisShards {
  std::int64_t count = 3;
  std::int64_t replicas = 1;  // of each shard
  std::int64_t node_timeout_milliseconds = 5'000;
  std::int64_t min_replicas_to_write = 0;  // at most `replicas`
  std::int64_t max_lag_seconds = 10;       // of those replicas
  std::int64_t partitions = 16;            // of the keys, by the service
  bool by_namespace = false;               // which of them a key is in: by its namespace, or by the key
  // While slots move to other shards.
  std::int64_t slots_at_once = 256;  // of one round
  std::int64_t keys_at_once = 100;   // of one MIGRATE
  std::int64_t move_pause_milliseconds = 100;
};

// Redis that the operator provisions.
struct RedisBackend {
  std::string storage_size = {};
  std::optional<std::string> storage_class_name = {};
  std::string max_memory = {};       // of the data
  std::string eviction_policy = {};  // as Redis spells it
  bool append_only = true;
  RedisFsync fsync = RedisFsync::kEverySecond;
  bool snapshots = false;
  Json resource_requests = Json::object();  // of each server
  Json resource_limits = Json::object();
  std::string image = {};                      // the operator's own when empty
  std::int64_t instances = 1;                  // of all shards together
  std::optional<RedisSentinel> sentinel = {};  // at most one of the two; neither = one server by itself
  std::optional<RedisShards> shards = {};

  // Of one server by itself nobody has to note that it has begun.
  bool replicated() const { return sentinel.has_value() || shards.has_value(); }
};

// Redis that somebody else runs. Its Secret is never read by the operator: pods mount it.
struct ExternalRedisBackend {
  std::string secret_name;                        // in the cluster's namespace; its key `url`
  std::optional<std::string> password_key = {};   // where the url has no password
  std::optional<std::string> authority_key = {};  // whom to trust
};

struct BackendSpec {
  std::string name;
  std::variant<EmbeddedBackend, MemoryBackend, PostgresBackend, ExternalPostgresBackend, RedisBackend,
               ExternalRedisBackend>
      kind;
  // Of large values, of any kind but embedded, which has one of its own; absent: as the service does by itself.
  std::optional<std::string> compression = {};

  const EmbeddedBackend* embedded() const { return std::get_if<EmbeddedBackend>(&kind); }
  const MemoryBackend* memory() const { return std::get_if<MemoryBackend>(&kind); }
  const PostgresBackend* postgres() const { return std::get_if<PostgresBackend>(&kind); }
  const ExternalPostgresBackend* external_postgres() const { return std::get_if<ExternalPostgresBackend>(&kind); }
  const RedisBackend* redis() const { return std::get_if<RedisBackend>(&kind); }
  const ExternalRedisBackend* external_redis() const { return std::get_if<ExternalRedisBackend>(&kind); }
  // The service talks to it over a schema that `holdfast migrate` makes.
  bool has_schema() const { return postgres() != nullptr || external_postgres() != nullptr; }
  // The operator runs its servers, for which it makes passwords and certificates.
  bool has_servers() const { return postgres() != nullptr || redis() != nullptr; }
};

// Copies of what is read.
struct StoreCache {
  std::string backend;
  std::string ttl;
};

// What answers while the store's backend takes no writes.
struct StoreSecondary {
  std::string backend;  // embedded or memory
  bool takes_writes = false;
  std::string max_lag;
};

// When a write of a store with a cache is acknowledged: when the backend has it, when it is in the queue, from where
// it is brought at once, or the same with what follows it of its key.
enum class WriteMode { kThrough, kBehind, kBack };

// Where writes wait for the store's backend. With kThrough: only those that wait there already. What is absent is as
// the service has it by default.
struct StoreWriteQueue {
  std::string backend;  // embedded
  WriteMode mode = WriteMode::kBehind;
  std::optional<std::int64_t> entries = {};
  std::optional<std::string> bytes = {};
  std::optional<std::string> back_delay = {};
  std::optional<std::string> call_timeout = {};
  std::optional<std::string> retry_max = {};
  std::optional<std::string> lookup_timeout = {};
  std::optional<std::string> conflict_ttl = {};
};

// A store on several embedded backends, each with everything. What is absent is as the service has it by default.
struct StoreReplicas {
  std::vector<std::string> backends;  // the first is that of the store
  bool eventual = false;
  std::optional<std::int64_t> write_quorum = {};
  std::optional<std::int64_t> read_quorum = {};
  std::optional<std::string> call_timeout = {};
  std::optional<std::string> retry_interval = {};
  std::optional<std::int64_t> queue_operations = {};
  std::optional<std::string> queue_bytes = {};
  std::optional<std::string> conflict_ttl = {};
  std::optional<std::int64_t> conflicts = {};
  std::optional<std::string> compare_interval = {};
  std::optional<std::int64_t> compare_rate = {};
};

struct StoreSpec {
  std::string name;
  std::string backend;  // that keeps the entries: behind a cache, before a secondary, the first of replicas
  std::optional<std::string> default_ttl = {};
  bool durable = false;                  // an acknowledged write has to survive loss of power
  std::optional<StoreCache> cache = {};  // one of these three at most
  std::optional<StoreSecondary> secondary = {};
  std::vector<std::string> lock_backends = {};  // a majority of which keeps its locks; empty = its backend does
  std::optional<StoreReplicas> replicas = {};
  std::optional<StoreWriteQueue> write_queue = {};  // beside a cache
  bool change_archive = false;                      // beside none of these but a cache
  Json resilience = Json::object();                 // as in the spec (resilience_fields.h); empty = nothing in front
};

struct Autoscaling {
  std::int64_t min_replicas = 1;
  std::int64_t max_replicas = 1;
  std::int64_t target_cpu_percent = 70;  // of what is requested
};

// Whose certificates clients have to show: PEM under a key of a Secret or ConfigMap.
struct ClientAuthority {
  bool in_config_map = false;  // else in a Secret
  std::string name;            // in the cluster's namespace
  std::string key;
};

struct ServiceTls {
  std::string secret_name = {};                          // somebody else's certificate; empty = the operator issues one
  std::optional<ClientAuthority> client_authority = {};  // nothing = clients need no certificate
  std::string operator_secret_name = {};                 // the operator's as a client; empty = it has none

  bool issued() const { return secret_name.empty(); }
  // Of what the operator neither makes nor watches.
  bool names_others() const { return !issued() || client_authority.has_value(); }
};

struct ServiceSpec {
  std::int64_t replicas = 1;  // of no meaning while `autoscaling` is there
  std::optional<Autoscaling> autoscaling = {};
  bool service_account_auth = false;
  std::optional<ServiceTls> tls = {};       // nothing = plain HTTP
  Json resource_requests = Json::object();  // as a container's resources.requests; empty = none were given
  Json resource_limits = Json::object();
};

// An S3-compatible server for backups.
struct BackupBucket {
  std::string endpoint;
  std::string bucket;
  std::string prefix;
  std::string region;
  bool path_style = true;
  std::string credentials_secret;  // in the cluster's namespace
};

// How changes are shipped; what is absent the service has a default for.
struct ChangeArchive {
  std::optional<std::string> interval = {};
  std::optional<std::string> segment_size = {};
  std::optional<std::string> buffer_size = {};
};

// Which backups of each store stay: what one of these has stay. All of them 0: every one does.
struct BackupRetention {
  std::int64_t last = 7;   // the newest
  std::int64_t days = 0;   // the newest of each of so many days
  std::int64_t weeks = 0;  // likewise
};

// Where backups lie: on a claim or in a bucket.
struct BackupLocation {
  std::string claim = {};  // in the cluster's namespace; empty = `s3`
  std::optional<BackupBucket> s3 = {};
  std::optional<SecretKey> encryption_key = {};  // nothing = not encrypted
};

// Where the service puts the backups of all stores.
struct BackupPlace {
  BackupLocation location = {};
  ChangeArchive change_archive = {};
  std::optional<BackupRetention> retention = {};  // nothing = as the service has it by default
};

enum class TerminationPolicy { kRetain, kDelete, kDoNotTerminate };

enum class MigrationPolicy { kAuto, kManual };

enum class FailoverMode { kAutomatic, kManual };

struct FailoverSpec {
  FailoverMode mode = FailoverMode::kAutomatic;
  std::int64_t max_lag_bytes = 1'048'576;  // an asynchronous candidate that is further behind is not promoted
};

struct StorageClusterSpec {
  std::vector<BackendSpec> backends;
  std::vector<StoreSpec> stores;
  std::string default_store;  // never empty: the first store when the user named none
  ServiceSpec service;
  MigrationPolicy migrations = MigrationPolicy::kAuto;
  FailoverSpec failover;
  std::optional<BackupPlace> backups = {};           // nothing = no store has backups of its own
  std::optional<BackupLocation> backup_source = {};  // of another cluster's, which are only read
  TerminationPolicy termination_policy = TerminationPolicy::kRetain;

  bool IsCache(const BackendSpec& backend) const;
  // Nothing is lost with it: no store has its entries there, but copies.
  bool KeepsOnlyCopies(const BackendSpec& backend) const;
  // It is one of those that keep the locks of some store, and has no entries.
  bool KeepsLocks(const std::string& backend) const;
  // It has a volume of its own, so that no loss of one takes two replicas.
  bool IsReplica(const BackendSpec& backend) const;
};

// What people ask for by annotation, because it is about now and not about what should be.
inline constexpr char kHibernateAnnotation[] = "storage.holdfast.dev/hibernate";  // "true"
inline constexpr char kApplyMigrationsAnnotation[] =
    "storage.holdfast.dev/apply-migrations";  // the Job's name, or "true"

struct BackendStatus {
  std::string name;
  std::string type;
  std::string claim_name;  // the rest is empty for a backend without a volume
  std::string requested;
  std::string capacity;
  std::string primary = {};                    // the pod that takes writes; empty while there is none
  std::optional<std::int64_t> instances = {};  // asked for; nothing where the operator runs none
  std::optional<std::int64_t> ready_instances = {};
  std::optional<std::int64_t> sentinels = {};  // of redis with sentinels
  std::optional<std::int64_t> ready_sentinels = {};
  std::string phase = {};     // of redis
  std::string endpoint = {};  // of redis
};

struct StorageClusterStatus {
  std::int64_t observed_generation = 0;
  std::int64_t replicas = 0;
  std::int64_t ready_replicas = 0;
  std::string selector;
  std::string endpoint;
  std::string ca_config_map = {};  // empty = there is none
  std::string stores;
  std::vector<BackendStatus> backends;
  std::vector<Condition> conditions;
};

struct StorageCluster {
  std::string ns;
  std::string name;
  std::string uid;  // empty for a manifest that no API server has seen
  std::int64_t generation = 0;
  bool hibernated = false;            // nothing runs, all data is kept
  std::string apply_migrations = {};  // the annotation's value
  std::vector<StoreMove> moves = {};  // of the status
  StorageClusterSpec spec;            // with every store where it is, whatever backend was named
};

struct ParsedStorageCluster {
  // Set exactly when `errors` is empty.
  std::optional<StorageCluster> cluster;
  std::vector<FieldError> errors;
};

// Reads spec and metadata, with defaults; everything that is wrong is reported at once. Of the status only the moves
// are looked at, by which stores are put where they are.
// `old`: the object as it was before an update, for the rules about change (asked when it was valid); nullptr
// otherwise.
ParsedStorageCluster ParseStorageCluster(const Json& object, const Json* old = nullptr);

// "2 errors: spec.a: ...; spec.b: ...", in at most `max_length` characters.
std::string Summarize(const std::vector<FieldError>& errors, std::size_t max_length = 2048);

// Readable even when the rest of the spec is not, since deletion depends on it; anything unknown is Retain.
TerminationPolicy TerminationPolicyOf(const Json& object);

Json StatusToJson(const StorageClusterStatus& status);

}  // namespace holdfast::api
