#include "service/backends/redis/script_call.h"

#include <array>
#include <string>

namespace holdfast::storage::redis_backend {

void AddScript(redis::Pipeline& pipeline, redis::Effect effect, const redis::Script& script,
               const RedisOptions& options, std::string_view prefix, std::span<const std::string_view> arguments) {
  if (options.client.target.topology != redis::Target::Topology::kCluster) {
    pipeline.Call(effect, script, std::span(&prefix, 1), arguments);
    return;
  }
  const std::string state = std::string(prefix).append("state");
  const std::array<std::string_view, 2> keys{prefix, state};
  pipeline.For(prefix).Call(effect, script, keys, arguments);
}

}  // namespace holdfast::storage::redis_backend
