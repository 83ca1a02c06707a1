// What `status` knows about a cluster, as a document: the same for the screen and for `-o json`, whose shape is
// published in docs/kubectl.md.
#pragma once

#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/kube/client.h"

namespace holdfast::kubectl {

// Everything about one. kNotFound when there is none of that name.
Result<kube::Json> ReportCluster(kube::Client& client, const kube::ObjectKey& key, Deadline deadline);

// One row for each; an empty namespace = all of them. Sorted by namespace and name.
Result<std::vector<kube::Json>> ReportClusters(kube::Client& client, const std::string& ns, Deadline deadline);

}  // namespace holdfast::kubectl
