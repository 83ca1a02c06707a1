#include "operator/controllers/storagecluster/cluster_metrics.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <utility>

#include "base/time/duration.h"
#include "operator/api/v1/condition.h"
#include "operator/api/v1/postgres_fields.h"
#include "operator/api/v1/redis_fields.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/object.h"
#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

using kube::Json;
using metrics::Labels;
using metrics::Sample;

// The samples of one cluster, whose labels are given.
using PerCluster = std::function<void(const Json& cluster, const Labels& labels, std::vector<Sample>* samples)>;

void AddFamily(metrics::Registry& registry, const std::weak_ptr<const ClusterListers>& listers, std::string name,
               std::string help, PerCluster samples_of) {
  registry.CollectGauges(std::move(name), std::move(help), [listers, samples_of = std::move(samples_of)] {
    std::vector<Sample> samples;
    const auto alive = listers.lock();
    if (alive == nullptr) return samples;
    for (const kube::Lister* lister : *alive) {
      for (const kube::ObjectPtr& cluster : lister->List()) {
        const kube::ObjectKey key = kube::KeyOf(*cluster);
        samples_of(*cluster, {{"namespace", key.ns}, {"cluster", key.name}}, &samples);
      }
    }
    return samples;
  });
}

void Conditions(const Json& cluster, const Labels& labels, std::vector<Sample>* samples) {
  static const Json::json_pointer pointer("/status/conditions");
  if (!cluster.contains(pointer)) return;
  for (const api::Condition& condition : api::ConditionsFromJson(cluster.at(pointer))) {
    for (const auto& [status, name] :
         {std::pair(api::ConditionStatus::kTrue, "true"), std::pair(api::ConditionStatus::kFalse, "false"),
          std::pair(api::ConditionStatus::kUnknown, "unknown")}) {
      Sample sample{labels, condition.status == status ? 1.0 : 0.0};
      sample.labels["condition"] = condition.type;
      sample.labels["status"] = name;
      samples->push_back(std::move(sample));
    }
  }
}

// The number at `pointer`, when there is one.
PerCluster NumberAt(const char* pointer) {
  return [path = Json::json_pointer(pointer)](const Json& cluster, const Labels& labels, std::vector<Sample>* samples) {
    if (!cluster.contains(path) || !cluster.at(path).is_number()) return;
    samples->push_back({labels, cluster.at(path).get<double>()});
  };
}

// What a spec that got past the schema may ask for; a bound for a list that nobody has checked.
constexpr std::int64_t kMostInstances = 9;
// The last step of a failover or switchover, as status.failover has it.
constexpr char kDone[] = "Done";

void FailoverInProgress(const Json& cluster, const Labels& labels, std::vector<Sample>* samples) {
  static const Json::json_pointer pointer("/status/failover");
  bool open = false;
  if (cluster.contains(pointer) && cluster.at(pointer).is_array()) {
    for (const Json& backend : cluster.at(pointer)) {
      const std::string step = kube::StringAt(backend, "/step");
      open = open || (!step.empty() && step != kDone);
    }
  }
  samples->push_back({labels, open ? 1.0 : 0.0});
}

enum class Redis { kAny, kSentinels, kShards };

// A number for each redis backend of several servers whose state is known.
PerCluster OfRedis(Redis which, std::function<double(const Json& backend)> value_of) {
  return
      [which, value_of = std::move(value_of)](const Json& cluster, const Labels& labels, std::vector<Sample>* samples) {
        static const Json::json_pointer pointer("/status/redis");
        if (!cluster.contains(pointer) || !cluster.at(pointer).is_array()) return;
        for (const Json& backend : cluster.at(pointer)) {
          if (which != Redis::kAny && backend.contains("shards") != (which == Redis::kShards)) continue;
          Sample sample{labels, value_of(backend)};
          sample.labels["backend"] = kube::StringAt(backend, "/backend");
          samples->push_back(std::move(sample));
        }
      };
}

PerCluster RedisState(Redis which, const char* state) {
  return OfRedis(which,
                 [state](const Json& backend) { return kube::StringAt(backend, "/state") == state ? 1.0 : 0.0; });
}

PerCluster RedisNumber(Redis which, const char* name) {
  return OfRedis(which, [name](const Json& backend) {
    const Json number = backend.value(name, Json(0));
    return number.is_number() ? number.get<double>() : 0.0;
  });
}

// Of each postgres backend with backups, what `add` makes of its row in the status.
PerCluster OfBackups(std::function<void(const Json& row, const Sample& sample, std::vector<Sample>* samples)> add) {
  return [add = std::move(add)](const Json& cluster, const Labels& labels, std::vector<Sample>* samples) {
    static const Json::json_pointer pointer("/status/backups");
    if (!cluster.contains(pointer) || !cluster.at(pointer).is_array()) return;
    for (const Json& row : cluster.at(pointer)) {
      Sample sample{labels, 0.0};
      sample.labels["backend"] = kube::StringAt(row, "/backend");
      add(row, sample, samples);
    }
  };
}

PerCluster BackupNumber(const char* name) {
  return OfBackups([name](const Json& row, Sample sample, std::vector<Sample>* samples) {
    const Json number = row.value(name, Json());
    if (!number.is_number()) return;
    sample.value = number.get<double>();
    samples->push_back(std::move(sample));
  });
}

void LastBackups(const Json& row, const Sample& sample, std::vector<Sample>* samples) {
  for (const auto& [pointer, type] : {std::pair("/lastFull", "full"), std::pair("/lastDifferential", "differential")}) {
    const auto time = ParseTimestamp(kube::StringAt(row, pointer));
    if (!time.ok()) continue;
    Sample last = sample;
    last.labels["type"] = type;
    last.value = std::chrono::duration<double>(time->time_since_epoch()).count();
    samples->push_back(std::move(last));
  }
}

// At most so many as a spec that got past the schema may ask for.
std::int64_t Count(const Json& of, const char* name, std::int64_t otherwise, std::int64_t most) {
  const Json number = of.is_object() ? of.value(name, Json(otherwise)) : Json(otherwise);
  return number.is_number_integer() ? std::min(number.get<std::int64_t>(), most) : 0;
}

void RedisVolumes(const std::string& cluster, const Json& backend, const std::function<void(std::string)>& add) {
  const Json& redis = backend.at("redis");
  const std::string name = kube::StringAt(backend, "/name");
  const bool sentinels = kube::StringAt(redis, "/mode") == api::kRedisSentinelMode;
  std::int64_t servers =
      sentinels ? Count(redis, "instances", api::kDefaultRedisInstances, api::kMaximumRedisInstances) : 1;
  if (kube::StringAt(redis, "/mode") == api::kRedisClusterMode) {
    const api::RedisShards usual;
    servers = Count(redis, "shards", usual.count, api::kMaximumShards) *
              (1 + Count(redis, "replicasPerShard", usual.replicas, api::kMaximumReplicasPerShard));
  }
  for (std::int64_t i = 0; i < servers; ++i) add(resources::RedisClaimName(cluster, name, i));
  if (!sentinels) return;
  const std::int64_t watching = Count(redis.value("sentinel", Json::object()), "replicas",
                                      api::RedisSentinel{}.sentinels, api::kMaximumSentinels);
  for (std::int64_t i = 0; i < watching; ++i) add(resources::SentinelClaimName(cluster, name, i));
}

// Backends that are replicas of a store, of a spec that may be invalid.
std::set<std::string> Replicas(const Json& cluster) {
  static const Json::json_pointer stores("/spec/stores");
  static const Json::json_pointer backends("/replicated/backends");
  std::set<std::string> names;
  if (!cluster.contains(stores) || !cluster.at(stores).is_array()) return names;
  for (const Json& store : cluster.at(stores)) {
    if (!store.contains(backends) || !store.at(backends).is_array()) continue;
    for (const Json& backend : store.at(backends)) {
      if (backend.is_string()) names.insert(backend.get<std::string>());
    }
  }
  return names;
}

// From the spec, not from the claims: names follow from it, and a claim that is not there has no figures to join.
void Volumes(const Json& cluster, const Labels& labels, std::vector<Sample>* samples) {
  static const Json::json_pointer pointer("/spec/backends");
  static const Json::json_pointer external("/postgres/external");
  static const Json::json_pointer redis_storage("/redis/storage");
  static const Json::json_pointer repository_storage("/postgres/backup/storage");
  if (!cluster.contains(pointer) || !cluster.at(pointer).is_array()) return;
  const std::string name = kube::KeyOf(cluster).name;
  const auto add = [&](std::string claim) {
    Sample sample{labels, 1.0};
    sample.labels["persistentvolumeclaim"] = std::move(claim);
    samples->push_back(std::move(sample));
  };
  const std::set<std::string> replicas = Replicas(cluster);
  bool embedded = false;
  for (const Json& backend : cluster.at(pointer)) {
    if (!backend.is_object()) continue;
    const std::string backend_name = kube::StringAt(backend, "/name");
    const bool is_replica = replicas.contains(backend_name);
    if (backend.contains("embedded") && is_replica) add(resources::ReplicaClaimName(name, backend_name, 0));
    embedded = embedded || (backend.contains("embedded") && !is_replica);
    if (backend.contains(redis_storage)) RedisVolumes(name, backend, add);
    if (!backend.contains("postgres") || backend.contains(external)) continue;
    if (backend.contains(repository_storage)) add(resources::RepositoryClaimName(name, backend_name));
    const Json instances = backend.at("postgres").value("instances", Json(api::kDefaultPostgresInstances));
    if (!instances.is_number_integer()) continue;
    const std::int64_t wanted = std::min(instances.get<std::int64_t>(), kMostInstances);
    for (std::int64_t i = 0; i < wanted; ++i) {
      add(resources::PostgresClaimName(name, backend_name, i));
    }
  }
  if (embedded) add(resources::ClaimName(name, 0));
}

}  // namespace

void AddClusterMetrics(metrics::Registry& registry, const std::weak_ptr<const ClusterListers>& listers) {
  AddFamily(registry, listers, "holdfast_cluster_condition",
            "The conditions of each StorageCluster: 1 for the status a condition has, 0 for the other two.",
            Conditions);
  AddFamily(registry, listers, "holdfast_cluster_generation", "The generation of each StorageCluster's spec.",
            NumberAt("/metadata/generation"));
  AddFamily(registry, listers, "holdfast_cluster_observed_generation",
            "The generation that each StorageCluster's status is about.", NumberAt("/status/observedGeneration"));
  AddFamily(registry, listers, "holdfast_cluster_replicas",
            "Pods of the state service that each StorageCluster asks for.", NumberAt("/spec/service/replicas"));
  AddFamily(registry, listers, "holdfast_cluster_ready_replicas",
            "Pods of the state service that are ready, for each StorageCluster.", NumberAt("/status/readyReplicas"));
  AddFamily(registry, listers, "holdfast_cluster_failover_in_progress",
            "1 while a failover or switchover of one of the cluster's PostgreSQL backends has begun and not ended.",
            FailoverInProgress);
  AddFamily(registry, listers, "holdfast_postgres_backup_last_timestamp_seconds",
            "When the last backup of each type of each PostgreSQL backend with backups was complete, in Unix time.",
            OfBackups(LastBackups));
  AddFamily(registry, listers, "holdfast_postgres_backup_failures",
            "Backups of each PostgreSQL backend that have failed since the last that did not.",
            BackupNumber("failures"));
  AddFamily(registry, listers, "holdfast_postgres_archive_failures",
            "Failures of each PostgreSQL backend's primary to archive a segment, since its statistics began.",
            BackupNumber("archiveFailures"));
  AddFamily(registry, listers, "holdfast_postgres_archive_waiting_segments",
            "Segments of each PostgreSQL backend's primary that are complete and not in the repository yet.",
            BackupNumber("archiveWaiting"));
  AddFamily(registry, listers, "holdfast_postgres_backup_repository_bytes",
            "What all backups of each PostgreSQL backend take in the repository, without the archive.",
            BackupNumber("bytes"));
  AddFamily(registry, listers, "holdfast_redis_has_master",
            "1 while the master that the sentinels of a Redis backend name takes writes.",
            RedisState(Redis::kSentinels, "Serving"));
  AddFamily(registry, listers, "holdfast_redis_failover_in_progress",
            "1 while a master of a Redis backend with sentinels or shards is replaced.",
            RedisState(Redis::kAny, "FailingOver"));
  AddFamily(registry, listers, "holdfast_redis_replicas",
            "Replicas that each Redis backend with sentinels or shards asks for.",
            RedisNumber(Redis::kAny, "replicas"));
  AddFamily(registry, listers, "holdfast_redis_replicas_in_step",
            "Replicas of each Redis backend with sentinels or shards that are in step with their masters.",
            RedisNumber(Redis::kAny, "replicasInStep"));
  AddFamily(registry, listers, "holdfast_redis_slots_served",
            "Of the 16384 slots of each Redis backend with shards, those whose master serves.",
            RedisNumber(Redis::kShards, "slotsCovered"));
  AddFamily(registry, listers, "holdfast_cluster_volume_info",
            "Always 1, for each PersistentVolumeClaim that each StorageCluster asks for.", Volumes);
}

}  // namespace holdfast::storagecluster
