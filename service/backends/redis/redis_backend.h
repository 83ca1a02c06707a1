// The shared, fast backend: one Redis 7 server, which any number of instances of the service share. Rows, scripts and
// the stream of changes are described in docs/formats/redis.md.
//
// An ordered scan needs an index that every write of a new key pays for (a sorted set of all keys, in memory like the
// rest). What has expired is never seen, and is removed by a sweeper, which tells of it; Redis' own expiry would not.
//
// Redis replicates without waiting: after a failover an acknowledged write may be gone, and a fencing token with it
// (capabilities().fencing_survives_failover is false). capabilities().durability is what the server's append-only file
// makes of it.
#pragma once

#include <memory>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "service/backends/redis/redis_options.h"
#include "service/storage/backend.h"
#include "service/storage/change_history.h"

namespace holdfast::storage {

inline constexpr std::chrono::milliseconds kRedisSweepInterval{250};

// Returns before the server was reached; CheckHealth tells how that went. kInvalidArgument names what is wrong with the
// options. `clock` null: expiry goes by the server's clock, which all instances share; a test may give one.
Result<std::unique_ptr<Backend>> OpenRedisBackend(const RedisOptions& options, const Clock* clock = nullptr);

// Of what OpenRedisBackend gave, and as long-lived; null: it is another backend.
ChangeHistory* RedisHistoryOf(Backend& backend);

}  // namespace holdfast::storage
