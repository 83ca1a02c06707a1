// A batch with writes, cut into steps: each partition's operations are one call of its script, and the calls of all
// partitions are one round trip. Operations on one key keep their order, since a key has one partition.
#pragma once

#include <functional>
#include <span>

#include "base/redis/client.h"
#include "service/backends/redis/partitions.h"
#include "service/backends/redis/redis_options.h"
#include "service/backends/redis/writer.h"
#include "service/storage/backend.h"

namespace holdfast::storage::redis_backend {

// Thread-safe.
class BatchWrites {
 public:
  using WriterOf = std::function<Writer&(std::size_t partition)>;
  // Everything given outlives it.
  BatchWrites(redis::Client& client, const RedisOptions& options, const Partitions& partitions, WriterOf writer_of)
      : client_(client), options_(options), partitions_(partitions), writer_of_(std::move(writer_of)) {}

  // Every operation gets a result.
  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline);

 private:
  // Operations at these places, which are valid and no more than one call may have.
  void ExecuteSome(std::span<const Operation> operations, std::span<OperationResult> results,
                   std::span<const std::size_t> places, Deadline deadline);

  redis::Client& client_;
  const RedisOptions& options_;
  const Partitions& partitions_;
  const WriterOf writer_of_;
};

}  // namespace holdfast::storage::redis_backend
