// The fields of a Redis backend.
#pragma once

#include "operator/api/v1/field.h"

namespace holdfast::api {

// spec.backends[].redis.
Field RedisFields();
// status.redis.
Field RedisStatuses(std::size_t most_backends);

// What stands in for fields that are absent. Not given by the API server: beside `external` they would claim what is
// not so.
inline constexpr char kDefaultRedisMemory[] = "256Mi";
inline constexpr char kDefaultRedisEviction[] = "noeviction";
inline constexpr char kDefaultRedisFsync[] = "everysec";
inline constexpr char kRedisStandaloneMode[] = "Standalone";
inline constexpr char kRedisSentinelMode[] = "Sentinel";
inline constexpr char kRedisClusterMode[] = "Cluster";
inline constexpr std::int64_t kDefaultRedisInstances = 3;  // with sentinels
inline constexpr std::int64_t kMaximumRedisInstances = 9;
inline constexpr std::int64_t kMaximumSentinels = 7;
// With mode Cluster. Two masters are no majority once one of them is gone.
inline constexpr std::int64_t kMinimumShards = 3;
inline constexpr std::int64_t kMaximumShards = 16;
inline constexpr std::int64_t kMaximumReplicasPerShard = 3;
inline constexpr std::int64_t kMaximumPartitions = 128;
inline constexpr std::int64_t kMaximumSlotsAtOnce = 16'384;
inline constexpr std::int64_t kMaximumKeysAtOnce = 10'000;
inline constexpr std::int64_t kMaximumMovePauseMilliseconds = 60'000;
inline constexpr char kSpreadByKey[] = "Key";
inline constexpr char kSpreadByNamespace[] = "Namespace";

}  // namespace holdfast::api
