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

}  // namespace holdfast::api
