// Whose an object is. Nothing that is not ours is ever written or deleted.
#pragma once

#include <string>

#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/object.h"

namespace holdfast::storagecluster {

enum class Ownership {
  kOurs,     // controlled by this very cluster, or released by it and still labelled
  kFormer,   // controlled by a cluster of the same name that is gone; the garbage collector will take it
  kForeign,  // anybody else's
};

// The uid of the controlling owner, or "".
std::string ControllerUid(const kube::Json& object);

Ownership OwnershipOf(const kube::Json& object, const api::StorageCluster& cluster);

// "StatefulSet prod/demo, controlled by Deployment web", for conditions and events.
std::string DescribeObject(const kube::ResourceKind& kind, const kube::Json& object);

}  // namespace holdfast::storagecluster
