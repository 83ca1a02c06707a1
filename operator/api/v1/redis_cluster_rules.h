// The rules over the fields of a redis backend of mode Cluster.
#pragma once

#include "operator/api/v1/field.h"

namespace holdfast::api {

Rule ClusterFieldsNeedClusterModeRule();
// It says which servers begin as one shard.
Rule ReplicasPerShardAreImmutableRule();
// The data keep how they are spread, and the service refuses another.
Rule RedisSpreadIsImmutableRule();
// A server that comes back without data, and with the slots it had, would have its replicas copy nothing.
Rule ShardsNeedAppendOnlyRule();
Rule MinReplicasWithinShardRule();
// A shard without a part of the keys would hold nothing.
Rule ShardsHavePartitionsRule();

}  // namespace holdfast::api
