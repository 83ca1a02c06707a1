// One of the objects that a StorageCluster leads to.
#pragma once

#include <string>

#include "operator/resources/build.h"

namespace holdfast::resources {

// Null when there is none.
inline kube::Json Find(const api::StorageCluster& cluster, const std::string& kind, const std::string& name,
                       const BuildOptions& options = {"holdfast:test"}) {
  for (const DesiredObject& object : BuildObjects(cluster, options)) {
    if (object.kind.kind == kind && object.key().name == name) return object.object;
  }
  return nullptr;
}

}  // namespace holdfast::resources
