// From a cluster to the objects that should be: pure, deterministic, no client and no clock. The objects hold exactly
// the fields the operator owns, as server-side apply wants them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/object.h"

namespace holdfast::resources {

struct BuildOptions {
  std::string service_image;
};

struct DesiredObject {
  kube::ResourceKind kind;
  kube::Json object;
  kube::ObjectKey key() const { return kube::KeyOf(object); }
};

// In the order in which they are applied: what the pods need comes before the pods.
std::vector<DesiredObject> BuildObjects(const api::StorageCluster& cluster, const BuildOptions& options);

// The kinds BuildObjects makes, for informers and for finding what is no longer desired.
const std::vector<kube::ResourceKind>& ChildKinds();

// The size of the one volume all embedded backends share, or "" when there is none.
std::string VolumeSize(const api::StorageClusterSpec& spec);

// metadata.ownerReferences of every child: controller, blocking the owner's foreground deletion.
kube::Json OwnerReferences(const api::StorageCluster& cluster);

// "sha256:<hex>" of the document in its canonical form (sorted keys, no white space).
std::string Hash(const kube::Json& document);

// The parts, each in a file of its own.
kube::Json BuildServiceAccount(const api::StorageCluster& cluster);
kube::Json BuildConfigMap(const api::StorageCluster& cluster);
kube::Json BuildClientService(const api::StorageCluster& cluster);
kube::Json BuildHeadlessService(const api::StorageCluster& cluster);
kube::Json BuildPodDisruptionBudget(const api::StorageCluster& cluster);
// `config_checksum` makes the pods anew when their configuration changes.
kube::Json BuildStatefulSet(const api::StorageCluster& cluster, const BuildOptions& options,
                            const std::string& config_checksum);

// apiVersion, kind and metadata of a child.
kube::Json ChildObject(const api::StorageCluster& cluster, const kube::ResourceKind& kind, const std::string& name);

}  // namespace holdfast::resources
