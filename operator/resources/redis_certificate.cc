// Who the certificate of a Redis backend of several servers is about.
#include "operator/api/v1/redis_fields.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"

namespace holdfast::resources {
namespace {

// With sentinels each server and sentinel is called by the name of its own Service; more servers are no reason for
// another certificate, which would restart all of them.
std::vector<std::string> HostsWithSentinels(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  std::vector<std::string> hosts = RedisHosts(cluster, backend.name, api::kMaximumRedisInstances);
  for (std::string& host : SentinelHosts(cluster, backend.name, backend.redis()->sentinel->sentinels)) {
    hosts.push_back(std::move(host));
  }
  hosts.push_back(ServiceHost(SentinelName(cluster.name, backend.name), cluster.ns));
  return hosts;
}

// Of a Redis Cluster any server may be asked by the name of the Service, and each is called by its own.
std::vector<std::string> HostsOfShards(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  return {ServiceHost(BackendName(cluster.name, backend.name), cluster.ns), "*." + ShardsDomain(cluster, backend.name)};
}

}  // namespace

std::vector<std::string> RedisServerNames(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  std::vector<std::string> names;
  for (const std::string& host :
       backend.redis()->sentinel ? HostsWithSentinels(cluster, backend) : HostsOfShards(cluster, backend)) {
    names.push_back(host);
    names.push_back(std::string(host).append(".cluster.local"));
  }
  return names;
}

}  // namespace holdfast::resources
