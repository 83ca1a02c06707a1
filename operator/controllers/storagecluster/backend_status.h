// What of a backend there is: its servers, who takes writes, its volume; and its row in the status.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "operator/api/v1/storage_cluster.h"
#include "operator/controllers/storagecluster/observed.h"

namespace holdfast::storagecluster {

// 0 where there is none.
std::int64_t Number(const Json& object, const char* pointer);

// The StatefulSets of a backend's servers and of its sentinels; nullptr: not there.
const Json* ServersOf(const api::StorageCluster& cluster, const std::string& backend, const Observed& observed);
const Json* SentinelsOf(const api::StorageCluster& cluster, const std::string& backend, const Observed& observed);
// That the spec asks for. Of a backend with servers.
std::int64_t InstancesOf(const api::BackendSpec& backend);
const api::RedisSentinel* SentinelOf(const api::BackendSpec& backend);
// A redis of several servers.
bool IsReplicated(const api::BackendSpec& backend);
// With sentinels one of those that are ready, each of which is the master or in step with it.
const Json* PrimaryOf(const api::BackendSpec& backend, const Observed& observed);

// A row of each backend, in the order of the spec.
std::vector<api::BackendStatus> BackendStatuses(const api::StorageCluster& cluster, const Observed& observed);
// Of redis with sentinels another controller says who takes writes; `present`: the status as it is.
void KeepMasters(const api::StorageCluster& cluster, const Json& present, std::vector<api::BackendStatus>* statuses);

}  // namespace holdfast::storagecluster
