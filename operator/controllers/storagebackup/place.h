// The StorageCluster that a StorageBackup or StorageRestore names, and the service of it that is asked.
#pragma once

#include <optional>
#include <string>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/controllers/storagebackup/verdict.h"
#include "operator/kube/client.h"
#include "operator/service_access/endpoint.h"

namespace holdfast::storagebackup {

// What is looked for, and for whom.
struct Search {
  std::string ns;
  std::string cluster;
  std::string store;
  std::string object_kind;    // for messages: "StorageBackup"
  std::string preferred_pod;  // that should answer, if it can
  bool of_source = false;     // the backups are those of spec.backups.source
};

struct Place {
  bool paused = false;                // the cluster
  std::optional<Said> unusable = {};  // why it can have no backups, and what to do
  std::string silence = {};           // why `service` is not there
  std::optional<service_access::Reached> service = {};
  bool pod_is_gone = false;  // there is no pod preferred_pod any more
};

// Reads from the API server itself, never from a copy.
Result<Place> FindPlace(kube::Client& client, const Search& search, Deadline deadline);

// Pure. Nothing: the cluster's service can be asked about backups of that store.
std::optional<Said> WhyNot(const api::StorageCluster& cluster, const Search& search);

}  // namespace holdfast::storagebackup
