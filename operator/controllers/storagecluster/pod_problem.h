// What keeps a cluster's pods from running until somebody acts. Pure functions over what the API server has.
#pragma once

#include <optional>
#include <vector>

#include "operator/controllers/storagecluster/plan.h"
#include "operator/kube/object.h"

namespace holdfast::storagecluster {

// What is wrong with the pods, when something is that does not pass by itself.
std::optional<Problem> PodProblem(const std::vector<kube::Json>& pods);

// A claim that nobody will provide for: the API server gives one without a class the default class, when there is one.
std::optional<Problem> UnboundClaim(const std::vector<kube::Json>& claims);

}  // namespace holdfast::storagecluster
