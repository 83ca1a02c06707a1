// Into how many partitions the data in a Redis Cluster is cut, and by what: written there by the first instance, and
// looked at by every other before it touches anything. With another cut a key would be looked for where it is not.
#pragma once

#include <atomic>
#include <string>

#include "base/redis/client.h"
#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/backends/redis/redis_options.h"

namespace holdfast::storage::redis_backend {

// Thread-safe.
class Layout {
 public:
  // What is given outlives it.
  Layout(redis::Client& client, const RedisOptions& options);

  // Ok once the data was seen to have this layout, and at once on a single server, where there is nothing to see.
  // kUnavailable names the settings when it has another.
  Status Check(Deadline deadline);
  // The same, looked at again: writes it where it has been lost. Ok as well when it was seen before and cannot be read.
  Status Look(Deadline deadline);

 private:
  Result<std::string> Read(Deadline deadline);

  redis::Client& client_;
  const std::string key_;
  const std::string layout_;  // "1 16 key": format, partitions, spread
  const bool partitioned_;
  std::atomic<bool> seen_;
};

}  // namespace holdfast::storage::redis_backend
