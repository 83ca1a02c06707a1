// Where the stream of changes of a partition stands, as the script `look` says.
#pragma once

#include <cstdint>
#include <string>

#include "base/redis/reply.h"
#include "base/result/result.h"

namespace holdfast::storage::redis_backend {

struct StreamStand {
  bool here = false;  // this instance is one of the instances; when it is not, nothing else counts
  std::int64_t instances = 0;
  std::int64_t epoch = 0;
  std::int64_t joins = 0;     // how often anybody has joined
  std::int64_t position = 0;  // of the newest change that was logged
  std::string row;            // what this instance has shown of itself; empty when it was not to
};

Result<StreamStand> StandOf(Result<redis::Value> reply);

// A number that the server keeps as text. kCorruption when it is none.
Result<std::int64_t> NumberOf(const redis::Value& value);

}  // namespace holdfast::storage::redis_backend
