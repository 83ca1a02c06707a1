#include "operator/api/v1/redis_cluster_rules.h"

#include "operator/api/v1/redis_fields.h"
#include "operator/api/v1/storage_cluster.h"

namespace holdfast::api {
namespace {

bool IsCluster(const Json& redis) {
  return redis.value("mode", std::string()) == kRedisClusterMode;
}

std::int64_t ClusterNumber(const Json& redis, const char* name, std::int64_t otherwise) {
  return redis.contains("cluster") ? redis.at("cluster").value(name, otherwise) : otherwise;
}

}  // namespace

Rule ClusterFieldsNeedClusterModeRule() {
  return {.cel =
              "!(has(self.shards) || has(self.replicasPerShard) || has(self.cluster)) || (has(self.mode) && self.mode "
              "== 'Cluster')",
          .message = "shards, replicasPerShard and cluster need mode Cluster: set mode, or remove them",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (IsCluster(self)) return {};
            std::vector<std::string> broken;
            for (const char* name : {"shards", "replicasPerShard", "cluster"}) {
              if (self.contains(name)) broken.emplace_back(name);
            }
            return broken;
          }};
}

Rule ReplicasPerShardAreImmutableRule() {
  return {.cel =
              "(has(self.replicasPerShard) ? self.replicasPerShard : 1) == (has(oldSelf.replicasPerShard) ? "
              "oldSelf.replicasPerShard : 1)",
          .message = "replicasPerShard cannot change; add a backend under another name and copy the stores",
          .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
            const RedisShards usual;
            if (self.value("replicasPerShard", usual.replicas) == old->value("replicasPerShard", usual.replicas)) {
              return {};
            }
            return {"replicasPerShard"};
          },
          .transition = true};
}

Rule RedisSpreadIsImmutableRule() {
  return {.cel =
              "(has(self.cluster) ? self.cluster.partitions : 16) == (has(oldSelf.cluster) ? "
              "oldSelf.cluster.partitions : 16) && (has(self.cluster) ? self.cluster.spread : 'Key') == "
              "(has(oldSelf.cluster) ? oldSelf.cluster.spread : 'Key')",
          .message =
              "cluster.partitions and cluster.spread cannot change: the data keep the ones they were begun with; add a "
              "backend under another name and copy the stores",
          .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
            std::vector<std::string> broken;
            const std::int64_t usual = RedisShards{}.partitions;
            if (ClusterNumber(self, "partitions", usual) != ClusterNumber(*old, "partitions", usual)) {
              broken.emplace_back("cluster.partitions");
            }
            const auto spread = [](const Json& redis) {
              return redis.value("cluster", Json::object()).value("spread", std::string(kSpreadByKey));
            };
            if (spread(self) != spread(*old)) broken.emplace_back("cluster.spread");
            return broken;
          },
          .transition = true};
}

Rule ShardsNeedAppendOnlyRule() {
  return {.cel = "!has(self.mode) || self.mode != 'Cluster' || !has(self.persistence) || self.persistence.appendOnly",
          .message =
              "mode Cluster needs persistence.appendOnly true: a master that comes back without data would have its "
              "replicas copy nothing; remove appendOnly, or use mode Standalone",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            if (!IsCluster(self) || self.value("persistence", Json::object()).value("appendOnly", true)) return {};
            return {"persistence.appendOnly"};
          }};
}

Rule MinReplicasWithinShardRule() {
  return {.cel =
              "!has(self.cluster) || self.cluster.minReplicasToWrite <= (has(self.replicasPerShard) ? "
              "self.replicasPerShard : 1)",
          .message = "cluster.minReplicasToWrite must be at most replicasPerShard: no shard has more",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            const RedisShards usual;
            if (ClusterNumber(self, "minReplicasToWrite", usual.min_replicas_to_write) <=
                self.value("replicasPerShard", usual.replicas)) {
              return {};
            }
            return {"cluster.minReplicasToWrite"};
          }};
}

Rule ShardsHavePartitionsRule() {
  return {.cel = "(has(self.shards) ? self.shards : 3) <= (has(self.cluster) ? self.cluster.partitions : 16)",
          .message = "shards must be at most cluster.partitions: a shard beyond would hold no keys; raise partitions",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            const RedisShards usual;
            if (self.value("shards", usual.count) <= ClusterNumber(self, "partitions", usual.partitions)) return {};
            return {"shards"};
          },
          .field_path = ".shards"};
}

}  // namespace holdfast::api
