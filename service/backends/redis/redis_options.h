// What a Redis backend is told: where the server is, how its keys begin, how long changes are kept. Plain data.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/redis/options.h"
#include "service/compression/codec.h"
#include "service/storage/types.h"

namespace holdfast::storage {

// What of a key decides which partition of a Redis Cluster it lies in (partitions.h).
enum class ClusterSpread {
  kKey,        // the key itself: one namespace is spread over all masters
  kNamespace,  // store and namespace: whatever one namespace holds lies on one master, and may change together
};

struct RedisOptions {
  redis::Options client;  // never logged: it may hold a password
  // What every key of the backend begins with; backends with different ones share a database.
  std::string key_prefix = "holdfast:";
  // Refuse writes unless an acknowledged one survives the loss of power: appendonly yes and appendfsync always.
  bool durable = false;
  // Changes that are kept for instances that have not read them yet; one that is further behind has missed some.
  std::uint64_t change_stream_length = 10'000;
  // Of values from its threshold on, each by itself; the shortest ones never (entry_record.h).
  compression::Options compression{compression::Codec::kLz4, 0, 1024};
  std::chrono::milliseconds command_timeout{30'000};   // of one call, beside what its caller allows
  std::chrono::milliseconds poll_interval{250};        // how often to look who else is there
  std::chrono::milliseconds instance_timeout{60'000};  // an instance that was silent for so long is taken out
  // With sentinels: reads that may be late go to replicas, which have to show that they are not further behind.
  bool replica_reads = false;
  std::chrono::milliseconds max_replication_lag{5'000};
  std::chrono::milliseconds replica_timeout{1'000};  // then the master is asked
  // With a cluster; written into the data by the first who comes, and the same for all (layout.h).
  int cluster_partitions = 16;
  ClusterSpread cluster_spread = ClusterSpread::kKey;
  Limits limits;
};

// Each costs an instance a thread and a connection.
inline constexpr int kMaxClusterPartitions = 128;

// Redis takes 512 MiB in one argument; a row holds more than its value.
inline constexpr std::size_t kMaxRedisValueBytes = std::size_t{256} << 20;

}  // namespace holdfast::storage
