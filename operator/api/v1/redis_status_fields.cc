// What is told of Redis backends: status.redis.
#include "operator/api/v1/redis_fields.h"

namespace holdfast::api {
namespace {

Field RedisShardStatuses() {
  Field shard = {
      .fields = {
          {.name = "slots", .type = FieldType::kString, .description = "As Redis spells them.", .required = true},
          {.name = "master", .type = FieldType::kString, .description = "The pod that has them, up or not."},
          {.name = "serves", .type = FieldType::kBoolean, .description = "Most servers reach it."},
          {.name = "replicasInStep", .type = FieldType::kInteger, .description = "How many are in step."},
          {.name = "replicaAnswers",
           .type = FieldType::kBoolean,
           .description = "There is a replica, in step or not."}}};
  return {.name = "shards",
          .type = FieldType::kList,
          .description = "Of mode Cluster: who has which slots.",
          .max_items = 2 * kMaximumShards,
          .list_key = "slots",
          .items = {std::move(shard)}};
}

}  // namespace

Field RedisStatuses(std::size_t most_backends) {
  Field member = {
      .fields = {
          {.name = "pod", .type = FieldType::kString, .description = "Its name.", .required = true},
          {.name = "role",
           .type = FieldType::kString,
           .description = "Master, Replica, Behind: a replica that is not in step, or of shards "
                          "New: it has no slots and follows nobody, and Leaving: likewise, of a server that goes."}}};
  Field backend = {
      .fields = {
          {.name = "backend", .type = FieldType::kString, .description = "The backend's name.", .required = true},
          {.name = "state",
           .type = FieldType::kString,
           .description = "Serving, FailingOver, NoMaster: the master is down and no failover is under way, or "
                          "SentinelsSilent: too few sentinels answer. Of shards Forming, Serving, FailingOver, "
                          "ShardLost: slots are not served and nobody takes over by itself, or ServersSilent."},
          {.name = "master", .type = FieldType::kString, .description = "The pod that most sentinels name."},
          {.name = "replicas", .type = FieldType::kInteger, .description = "Replicas that the spec asks for."},
          {.name = "replicasInStep", .type = FieldType::kInteger, .description = "How many are in step."},
          {.name = "slotsCovered",
           .type = FieldType::kInteger,
           .description = "Of shards: how many of the 16384 slots have a master that serves."},
          {.name = "slotsToMove",
           .type = FieldType::kInteger,
           .description = "Of shards: how many slots another shard is to have; absent when each has its part."},
          {.name = "message",
           .type = FieldType::kString,
           .description =
               "What is not served or waits to be moved, and what to do about it; absent while a failover is "
               "under way."},
          RedisShardStatuses(),
          {.name = "members",
           .type = FieldType::kList,
           .description = "The servers that the sentinels know, or that answer.",
           .max_items = kMaximumShards * (1 + kMaximumReplicasPerShard),
           .list_key = "pod",
           .items = {std::move(member)}}}};
  return {.name = "redis",
          .type = FieldType::kList,
          .description = "Of each redis backend with sentinels or shards: what these say.",
          .max_items = most_backends,
          .list_key = "backend",
          .items = {std::move(backend)}};
}

}  // namespace holdfast::api
