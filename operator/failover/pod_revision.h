// Of which pod template a StatefulSet's pods are, and their replacement one by one where its strategy is OnDelete. What
// a pod carries it carries for life, so nothing is remembered.
#pragma once

#include <cstdint>
#include <string>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/kube/client.h"

namespace holdfast::failover {

// What a pod carries that is made now; "" while the StatefulSet's controller has not looked at its latest change.
std::string RevisionOf(const kube::Json& stateful_set);
// spec.replicas.
std::int64_t WantedPods(const kube::Json& stateful_set);

// Made from a former template. A pod without a revision was not made by the StatefulSet's controller, or its template
// is not known: no reason to end it.
bool IsOutdated(const kube::Json& pod, const std::string& revision);

// Deletes it in the version that was judged, with the grace its template gives it. False: it has changed since, is gone
// already, or nobody knows; to be looked at anew.
Result<bool> ReplacePod(kube::Client& client, const kube::Json& pod, Deadline deadline);

}  // namespace holdfast::failover
