// How a script is called: on the keys of one partition, on whatever server has them.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "base/redis/pipeline.h"
#include "service/backends/redis/redis_options.h"

namespace holdfast::storage::redis_backend {

// `prefix`: of the partition. On a Redis Cluster two keys are declared. While a slot is being moved to another node its
// keys are partly here and partly there, and to a script what has been moved already looks like what was never there.
// The first of the two is never there: a node that does not have both refuses the call (TRYAGAIN, or ASK to a node that
// says so), so no script runs on half of the keys.
void AddScript(redis::Pipeline& pipeline, redis::Effect effect, const redis::Script& script,
               const RedisOptions& options, std::string_view prefix, std::span<const std::string_view> arguments);
inline void AddScript(redis::Pipeline& pipeline, redis::Effect effect, const redis::Script& script,
                      const RedisOptions& options, std::string_view prefix,
                      std::initializer_list<std::string_view> arguments) {
  AddScript(pipeline, effect, script, options, prefix,
            std::span<const std::string_view>(arguments.begin(), arguments.size()));
}

}  // namespace holdfast::storage::redis_backend
