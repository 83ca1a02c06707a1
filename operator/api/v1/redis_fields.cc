#include "operator/api/v1/redis_fields.h"

#include "operator/api/v1/postgres_fields.h"
#include "operator/api/v1/postgres_rules.h"
#include "operator/api/v1/redis_cluster_rules.h"
#include "operator/api/v1/redis_rules.h"
#include "operator/api/v1/storage_cluster.h"

namespace holdfast::api {
namespace {

Field Persistence() {
  return {
      .name = "persistence",
      .description = "What of the data is on the volume.",
      .fields = {
          {.name = "appendOnly",
           .type = FieldType::kBoolean,
           .description = "Every write is appended to a file, which the server reads when it starts. Without it a "
                          "restart loses what was written since the last snapshot, or everything. Cannot change.",
           .default_value = true},
          {.name = "fsync",
           .type = FieldType::kString,
           .description = "When the append-only file reaches the disk. always: before a write is acknowledged. "
                          "everysec: once a second; loss of power loses up to two seconds. no: when the node's kernel "
                          "sees fit.",
           .default_value = kDefaultRedisFsync,
           .max_length = 16,
           .choices = {"always", "everysec", "no"}},
          {.name = "snapshots",
           .type = FieldType::kBoolean,
           .description = "An RDB snapshot of everything: an hour after a change, five minutes after 100 or a minute "
                          "after 10,000, and at the end of the pod. Cannot change without appendOnly.",
           .default_value = false}}};
}

Field Number(const char* name, std::string description, std::int64_t otherwise, std::int64_t minimum,
             std::int64_t maximum) {
  return {.name = name,
          .type = FieldType::kInteger,
          .description = std::move(description),
          .default_value = otherwise,
          .minimum = minimum,
          .maximum = maximum};
}

// What stands in for it when it is absent is RedisSentinel of storage_cluster.h.
Field Sentinel() {
  const RedisSentinel usual;
  return {
      .name = "sentinel",
      .description = "With mode Sentinel: who watches over the servers, and when a write is refused.",
      .fields = {Number("replicas",
                        "Sentinels, an odd number; most of them have to agree before another server becomes the "
                        "master. Cannot change.",
                        usual.sentinels, 3, kMaximumSentinels),
                 Number("downAfterMilliseconds", "A master that has not answered a sentinel for so long is down to it.",
                        usual.down_after_milliseconds, 1'000, 600'000),
                 Number("failoverTimeoutMilliseconds",
                        "How long the steps of a failover may take; twice that is waited before another is tried.",
                        usual.failover_timeout_milliseconds, 5'000, 3'600'000),
                 Number("minReplicasToWrite",
                        "The master refuses writes while fewer replicas than these are in step, so that a master that "
                        "is cut off stops by itself; below instances. 0 lets it take writes that a failover loses.",
                        usual.min_replicas_to_write, 0, kMaximumRedisInstances - 1),
                 Number("maxLagSeconds", "A replica that has not reported for longer is not in step.",
                        usual.max_lag_seconds, 1, 3'600)},
      .rules = {SentinelsAreOddRule()}};
}

// What stands in for it when it is absent is RedisShards of storage_cluster.h.
Field Cluster() {
  const RedisShards usual;
  return {
      .name = "cluster",
      .description = "With mode Cluster: when a shard gets another master, and how the keys are spread.",
      .fields = {Number("nodeTimeoutMilliseconds",
                        "A server that has not answered the others for so long is down to them; a master that cannot "
                        "reach most of the others for so long stops taking writes.",
                        usual.node_timeout_milliseconds, 1'000, 600'000),
                 Number("minReplicasToWrite",
                        "A master refuses writes while fewer replicas of its shard than these are in step; at most "
                        "replicasPerShard. 0 lets it take writes that a failover loses.",
                        usual.min_replicas_to_write, 0, kMaximumReplicasPerShard),
                 Number("maxLagSeconds", "A replica that has not reported for longer is not in step.",
                        usual.max_lag_seconds, 1, 3'600),
                 Number("partitions",
                        "Into how many parts the service cuts the keys, which the shards share; some for each shard "
                        "that there may ever be. Each costs a pod of the service a connection and a thread. Cannot "
                        "change.",
                        usual.partitions, kMinimumShards, kMaximumPartitions),
                 {.name = "spread",
                  .type = FieldType::kString,
                  .description = "What of a key says in which part it lies. Key: the key, or the {tag} in it; only "
                                 "keys of one part change together. Namespace: all that one namespace has changes "
                                 "together, and lies in one shard. Cannot change.",
                  .default_value = kSpreadByKey,
                  .max_length = 16,
                  .choices = {kSpreadByKey, kSpreadByNamespace}},
                 Number("slotsAtOnce",
                        "While slots move to other shards: how many in one round, after which the servers are asked "
                        "anew and the pause begins.",
                        usual.slots_at_once, 1, kMaximumSlotsAtOnce),
                 Number("keysAtOnce",
                        "While slots move: how many keys go over together, during which both servers do nothing else. "
                        "Fewer of large values.",
                        usual.keys_at_once, 1, kMaximumKeysAtOnce),
                 Number("movePauseMilliseconds",
                        "While slots move: the pause between two rounds, which leaves the servers to their clients.",
                        usual.move_pause_milliseconds, 0, kMaximumMovePauseMilliseconds)}};
}

Field External() {
  const auto key = [](const char* name, const char* description) {
    return Field{.name = name,
                 .type = FieldType::kString,
                 .description = description,
                 .max_length = 253,
                 .pattern = kKeyPattern,
                 .pattern_words = "letters, digits, dashes, dots and underscores"};
  };
  return {
      .name = "external",
      .description = "Redis that somebody else runs.",
      .fields = {
          {.name = "secretName",
           .type = FieldType::kString,
           .description = "The Secret, in the cluster's own namespace, whose key url holds the url of the server: "
                          "rediss://USER:PASSWORD@HOST:PORT/DATABASE, or redis+sentinel://HOST,HOST,HOST/MASTER. "
                          "Pods mount it; the operator does not read it, so a change of it is noticed when pods start.",
           .required = true,
           .max_length = 253,
           .pattern = kObjectNamePattern,
           .pattern_words = "the name of a Secret"},
          key("passwordKey",
              "The key of the password, in the place of the url's, which still has to have one beside a user: "
              "rediss://USER:-@HOST:PORT/DATABASE. Read at every connect, so that it can change while pods run."),
          key("authorityKey", "The key of the certificates to trust, as PEM; the system's when absent.")}};
}

}  // namespace

Field RedisFields() {
  return {
      .name = "redis",
      .description =
          "Redis, provisioned or external. Fast and shared; what a failure may cost is said in "
          "docs/formats/redis.md.",
      .fields = {{.name = "mode",
                  .type = FieldType::kString,
                  .description = "Standalone: one server, away for as long as its pod takes to come back. Sentinel: a "
                                 "master and replicas, watched by sentinels, which make a replica the master when it "
                                 "is gone. Cluster: the keys are spread over shards, each a master and its "
                                 "replicas, one of which takes over when it is gone. Standalone when absent; cannot "
                                 "change.",
                  .max_length = 16,
                  .choices = {kRedisStandaloneMode, kRedisSentinelMode, kRedisClusterMode}},
                 {.name = "instances",
                  .type = FieldType::kInteger,
                  .description = "With mode Sentinel: servers, one of which is the master; 3 when absent. Of fewer, "
                                 "those with the highest numbers go, one step at a time.",
                  .minimum = 2,
                  .maximum = kMaximumRedisInstances},
                 Sentinel(),
                 {.name = "shards",
                  .type = FieldType::kInteger,
                  .description =
                      "With mode Cluster: how many shards share the keys; 3 when absent. Of fewer, the servers with "
                      "the highest numbers go, when their slots have moved to the others.",
                  .minimum = kMinimumShards,
                  .maximum = kMaximumShards},
                 {.name = "replicasPerShard",
                  .type = FieldType::kInteger,
                  .description = "With mode Cluster: servers of each shard beside its master; 1 when absent. Cannot "
                                 "change.",
                  .minimum = 1,
                  .maximum = kMaximumReplicasPerShard},
                 Cluster(),
                 StorageFields("The persistent volume of each server.",
                               "How large the volume is, such as 4Gi: at least twice maxMemory, since the "
                               "append-only file is rewritten beside the former one. Can grow, when the storage "
                               "class allows it, but never shrink."),
                 {.name = "maxMemory",
                  .type = FieldType::kBytes,
                  .description = "How much memory the data may take; 256Mi when absent. Writes beyond it are "
                                 "refused or, with another evictionPolicy, make room first.",
                  .minimum_quantity = "16Mi",
                  .maximum_quantity = "1Ti"},
                 {.name = "evictionPolicy",
                  .type = FieldType::kString,
                  .description = "What Redis does when maxMemory is reached; noeviction when absent. Entries of the "
                                 "service carry their expiry themselves, so that volatile-* finds none of them to "
                                 "evict; allkeys-* would evict the service's own index, and is refused.",
                  .max_length = 16,
                  .choices = {"noeviction", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"}},
                 Persistence(),
                 {.name = "resources",
                  .description = "What each server asks of its node; 100m, and memory for one and a half times "
                                 "maxMemory and 64Mi, are requested when absent.",
                  .fields = {ResourceAmounts("requests", "What is set aside for the pod."),
                             ResourceAmounts("limits", "What the pod may not exceed.")}},
                 {.name = "image",
                  .type = FieldType::kString,
                  .description = "The image of the servers, of Redis 7 with redis-cli, a shell and coreutils; the "
                                 "operator's own when absent.",
                  .max_length = 512,
                  .pattern = "^[A-Za-z0-9][-A-Za-z0-9._/:@]*$",
                  .pattern_words = "the name of an image"},
                 CompressionField("How the service packs large values before it sends them, also to an external Redis; "
                                  "lz4 when absent. What is stored stays readable.",
                                  {"none", "lz4", "snappy", "zstd"}),
                 External()},
      .exactly_one = {"storage", "external"},
      .rules = {ExternalStandsAloneRule({"mode", "instances", "sentinel", "shards", "replicasPerShard", "cluster",
                                         "maxMemory", "evictionPolicy", "persistence", "resources", "image"}),
                RedisModeIsImmutableRule(), RedisPersistenceIsImmutableRule(), RedisLimitHoldsMemoryRule(),
                SentinelFieldsNeedSentinelModeRule(), SentinelsAreImmutableRule(), MinReplicasBelowInstancesRule(),
                SentinelNeedsAppendOnlyRule(), ClusterFieldsNeedClusterModeRule(), ReplicasPerShardAreImmutableRule(),
                RedisSpreadIsImmutableRule(), ShardsNeedAppendOnlyRule(), MinReplicasWithinShardRule(),
                ShardsHavePartitionsRule()}};
}

}  // namespace holdfast::api
