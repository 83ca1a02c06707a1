// How a cluster's children are called and labelled, and where things are inside the pods. One place, because builders,
// the controller and its informers must agree; the names are published (docs/storagecluster.md).
#pragma once

#include <string>
#include <string_view>

#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/object.h"

namespace holdfast::resources {

inline constexpr char kFieldManager[] = "holdfast-operator";

inline constexpr char kClusterLabel[] = "storage.holdfast.dev/cluster";
// The uid of the cluster an object was made for: tells the children of a cluster from those of a former one of the
// same name.
inline constexpr char kOwnerUidLabel[] = "storage.holdfast.dev/owner-uid";
inline constexpr char kManagedByLabel[] = "app.kubernetes.io/managed-by";
inline constexpr char kManagedBySelector[] = "app.kubernetes.io/managed-by=holdfast-operator";

inline constexpr char kDesiredHashAnnotation[] = "storage.holdfast.dev/desired-hash";
inline constexpr char kConfigChecksumAnnotation[] = "storage.holdfast.dev/config-checksum";

inline constexpr char kServiceContainer[] = "service";
inline constexpr char kDataVolume[] = "data";
inline constexpr char kDataPath[] = "/var/lib/holdfast";
inline constexpr char kConfigPath[] = "/etc/holdfast";
inline constexpr char kConfigFile[] = "holdfast.yaml";
inline constexpr int kDataPort = 8080;
inline constexpr int kAdminPort = 9090;

std::string ConfigMapName(std::string_view cluster);
std::string HeadlessServiceName(std::string_view cluster);
// The StatefulSet controller's name for a pod's claim: "data-demo-0".
std::string ClaimName(std::string_view cluster, std::int64_t ordinal);

// What selects the pods; immutable in a StatefulSet, so it never grows.
kube::Json PodSelector(std::string_view cluster);
// The same as a label selector: "a=b,c=d".
std::string PodSelectorText(std::string_view cluster);
// On every child. Without the owner's uid when the cluster has none, as in `plan`.
kube::Json ChildLabels(const api::StorageCluster& cluster);

// "http://demo.prod.svc:8080"
std::string Endpoint(const api::StorageCluster& cluster);

}  // namespace holdfast::resources
