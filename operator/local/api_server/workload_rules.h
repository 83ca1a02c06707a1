// What the real server fills in and insists on for pods and for the kinds that make pods: StatefulSet, Deployment,
// ReplicaSet, Job. Compared with kube-apiserver 1.34, as far as an operator of ours meets it. Pure.
#pragma once

#include <string>
#include <vector>

#include "operator/local/api_server/api_error.h"

namespace holdfast::local {

// Does nothing to objects of other kinds. `live` is null for a new object.
void DefaultWorkload(const std::string& kind, const Json& live, Json* object);
void ValidateWorkload(const std::string& kind, const Json& live, const Json& object, std::vector<FieldError>* problems);

}  // namespace holdfast::local
