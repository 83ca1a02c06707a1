// The fields of a Redis backend.
#pragma once

#include "operator/api/v1/field.h"

namespace holdfast::api {

// spec.backends[].redis.
Field RedisFields();

// What stands in for fields that are absent. Not given by the API server: beside `external` they would claim what is
// not so.
inline constexpr char kDefaultRedisMemory[] = "256Mi";
inline constexpr char kDefaultRedisEviction[] = "noeviction";
inline constexpr char kDefaultRedisFsync[] = "everysec";
inline constexpr char kRedisStandaloneMode[] = "Standalone";
inline constexpr char kRedisSentinelMode[] = "Sentinel";
inline constexpr std::int64_t kDefaultRedisInstances = 3;  // with sentinels
inline constexpr std::int64_t kMaximumRedisInstances = 9;
inline constexpr std::int64_t kMaximumSentinels = 7;

}  // namespace holdfast::api
