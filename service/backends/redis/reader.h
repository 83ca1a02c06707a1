// The reading half of the Redis backend: one round trip for any number of gets, pages of the ordered index by a script.
#pragma once

#include <map>
#include <string>

#include "base/redis/client.h"
#include "service/backends/redis/redis_options.h"
#include "service/backends/redis/scripts.h"
#include "service/storage/backend.h"

namespace holdfast::storage::redis_backend {

// Thread-safe.
class Reader {
 public:
  // `clock` null: the server's.
  Reader(redis::Client& client, const Scripts& scripts, const RedisOptions& options, const Clock* clock)
      : client_(client), scripts_(scripts), options_(options), clock_(clock) {}

  // Of gets only.
  void Gets(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) const;
  Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline) const;
  Result<std::uint64_t> Count(const KeyRange& range, Deadline deadline) const;

 private:
  redis::Client& client_;
  const Scripts& scripts_;
  const RedisOptions& options_;
  const Clock* clock_;
};

}  // namespace holdfast::storage::redis_backend
