#include "service/backends/redis/layout.h"

#include <fmt/format.h>

#include "base/redis/reply.h"

namespace holdfast::storage::redis_backend {
namespace {

std::string_view WordOf(ClusterSpread spread) {
  return spread == ClusterSpread::kKey ? "key" : "namespace";
}

}  // namespace

Layout::Layout(redis::Client& client, const RedisOptions& options)
    : client_(client),
      key_(options.key_prefix + "layout"),
      layout_(fmt::format("1 {} {}", options.cluster_partitions, WordOf(options.cluster_spread))),
      partitioned_(options.client.target.topology == redis::Target::Topology::kCluster),
      seen_(!partitioned_) {}

Status Layout::Check(Deadline deadline) {
  return seen_.load(std::memory_order_acquire) ? Status() : Look(deadline);
}

Result<std::string> Layout::Read(Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(
      auto stands, redis::AsOptionalString(client_.Run(redis::Effect::kRead, {"GET", key_}, deadline), "layout"));
  if (stands) return *std::move(stands);
  redis::Pipeline pipeline;
  // Two that come at once see what the first has written.
  pipeline.For(key_).Add(redis::Effect::kRead, {"SET", key_, layout_, "NX"}).Add(redis::Effect::kRead, {"GET", key_});
  redis::Replies replies = client_.Run(pipeline, deadline);
  if (!replies[0].ok()) return std::move(replies[0]).error().WithContext("layout");
  return redis::AsString(std::move(replies[1]), "layout");
}

Status Layout::Look(Deadline deadline) {
  if (!partitioned_) return {};
  const Result<std::string> stands = Read(deadline);
  if (!stands.ok()) {
    // It was right, and the other partitions go on without the node that has it.
    return seen_.load(std::memory_order_acquire) ? Status() : stands.error();
  }
  if (*stands == layout_) {
    seen_.store(true, std::memory_order_release);
    return {};
  }
  return Error(ErrorCode::kUnavailable,
               fmt::format("the data under this key_prefix is laid out as \"{}\" (format, cluster_partitions, "
                           "cluster_spread), and this instance is told \"{}\": set both settings to what the data has, "
                           "or another key_prefix, and move the data with export and import",
                           *stands, layout_));
}

}  // namespace holdfast::storage::redis_backend
