// The scale subresource: an autoscaling/v1 Scale as a view on an object. Pure.
#pragma once

#include "operator/local/api_server/api_error.h"
#include "operator/local/api_server/resource_registry.h"

namespace holdfast::local {

Json ScaleOf(const Json& object, const ScalePaths& paths);
// `object` with the replicas, and the resourceVersion if there is one, that `scale` asks for.
Answer<Json> WithReplicas(const Json& object, const Json& scale, const ScalePaths& paths);

}  // namespace holdfast::local
