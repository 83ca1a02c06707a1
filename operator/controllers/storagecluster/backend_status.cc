#include "operator/controllers/storagecluster/backend_status.h"

#include <algorithm>

#include "base/config/settings.h"
#include "operator/controllers/storagecluster/migrations.h"
#include "operator/controllers/storagecluster/secrets.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"

namespace holdfast::storagecluster {
namespace {

const Json* FindClaim(const Observed& observed, const std::string& name) {
  const auto claim = std::find_if(observed.claims.begin(), observed.claims.end(),
                                  [&](const Json& candidate) { return kube::KeyOf(candidate).name == name; });
  return claim == observed.claims.end() ? nullptr : &*claim;
}

void DescribeClaim(const Json* claim, api::BackendStatus* status) {
  if (claim == nullptr) return;
  status->claim_name = kube::KeyOf(*claim).name;
  status->requested = kube::StringAt(*claim, "/spec/resources/requests/storage");
  status->capacity = kube::StringAt(*claim, "/status/capacity/storage");
}

void DescribeServers(const api::StorageCluster& cluster, const api::BackendSpec& backend, const Observed& observed,
                     api::BackendStatus* status) {
  // The volume that is behind the others is the one to know of.
  const Json* smallest = nullptr;
  const auto claim_name = backend.redis() != nullptr ? &resources::RedisClaimName : &resources::PostgresClaimName;
  for (std::int64_t i = 0; i < InstancesOf(backend); ++i) {
    const Json* claim = FindClaim(observed, claim_name(cluster.name, backend.name, i));
    if (claim == nullptr) continue;
    const auto size = [](const Json& of) {
      const auto bytes = config::ParseBytes(kube::StringAt(of, "/status/capacity/storage"));
      return bytes.ok() ? *bytes : 0;
    };
    if (smallest == nullptr || size(*claim) < size(*smallest)) smallest = claim;
  }
  DescribeClaim(smallest, status);
  const Json* servers = ServersOf(cluster, backend.name, observed);
  status->instances = InstancesOf(backend);
  status->ready_instances = servers == nullptr ? 0 : Number(*servers, "/status/readyReplicas");
  if (IsReplicated(backend)) return;  // see KeepMasters; of shards there are several
  if (const Json* primary = PrimaryOf(backend, observed)) status->primary = kube::KeyOf(*primary).name;
}

void DescribeRedis(const api::StorageCluster& cluster, const api::BackendSpec& backend, const Observed& observed,
                   api::BackendStatus* status) {
  status->endpoint = resources::RedisEndpoint(cluster, backend);
  bool ready = PrimaryOf(backend, observed) != nullptr;
  if (const api::RedisSentinel* sentinel = SentinelOf(backend)) {
    const Json* sentinels = SentinelsOf(cluster, backend.name, observed);
    status->sentinels = sentinel->sentinels;
    status->ready_sentinels = sentinels == nullptr ? 0 : Number(*sentinels, "/status/readyReplicas");
  }
  if (IsReplicated(backend)) ready = ready && IsInitialized(cluster, backend, observed);
  status->phase = ready ? "Ready" : "Starting";
  if (cluster.hibernated) status->phase = "Hibernated";
}

}  // namespace

std::int64_t Number(const Json& object, const char* pointer) {
  const Json::json_pointer path(pointer);
  return object.contains(path) && object.at(path).is_number_integer() ? object.at(path).get<std::int64_t>() : 0;
}

const Json* ServersOf(const api::StorageCluster& cluster, const std::string& backend, const Observed& observed) {
  return observed.Find(kube::kinds::kStatefulSet, resources::BackendName(cluster.name, backend));
}

std::int64_t InstancesOf(const api::BackendSpec& backend) {
  return backend.postgres() != nullptr ? backend.postgres()->instances : backend.redis()->instances;
}

const api::RedisSentinel* SentinelOf(const api::BackendSpec& backend) {
  return backend.redis() != nullptr && backend.redis()->sentinel ? &*backend.redis()->sentinel : nullptr;
}

bool IsReplicated(const api::BackendSpec& backend) {
  return backend.redis() != nullptr && backend.redis()->replicated();
}

const Json* SentinelsOf(const api::StorageCluster& cluster, const std::string& backend, const Observed& observed) {
  return observed.Find(kube::kinds::kStatefulSet, resources::SentinelName(cluster.name, backend));
}

const Json* PrimaryOf(const api::BackendSpec& backend, const Observed& observed) {
  return backend.redis() != nullptr ? RedisPrimaryPod(observed.pods, backend.name)
                                    : PrimaryPod(observed.pods, backend.name);
}

std::vector<api::BackendStatus> BackendStatuses(const api::StorageCluster& cluster, const Observed& observed) {
  std::vector<api::BackendStatus> statuses;
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    api::BackendStatus status{
        .name = backend.name, .type = "memory", .claim_name = {}, .requested = {}, .capacity = {}};
    if (backend.embedded() != nullptr) {
      status.type = "embedded";
      const std::string claim = cluster.spec.IsReplica(backend)
                                    ? resources::ReplicaClaimName(cluster.name, backend.name, 0)
                                    : resources::ClaimName(cluster.name, 0);
      DescribeClaim(FindClaim(observed, claim), &status);
    } else if (backend.postgres() != nullptr) {
      status.type = "postgres";
      DescribeServers(cluster, backend, observed, &status);
    } else if (backend.redis() != nullptr) {
      status.type = "redis";
      DescribeServers(cluster, backend, observed, &status);
      DescribeRedis(cluster, backend, observed, &status);
    } else if (backend.external_postgres() != nullptr || backend.external_redis() != nullptr) {
      status.type = "external";
    }
    statuses.push_back(std::move(status));
  }
  return statuses;
}

void KeepMasters(const api::StorageCluster& cluster, const Json& present, std::vector<api::BackendStatus>* statuses) {
  for (std::size_t i = 0; i < statuses->size(); ++i) {
    if (SentinelOf(cluster.spec.backends[i]) == nullptr || cluster.hibernated) continue;
    for (const Json& each : present.value("redis", Json::array())) {
      if (kube::StringAt(each, "/backend") != (*statuses)[i].name) continue;
      if (kube::StringAt(each, "/state") == "Serving") (*statuses)[i].primary = kube::StringAt(each, "/master");
    }
  }
}

}  // namespace holdfast::storagecluster
