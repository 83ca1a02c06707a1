// Kubernetes objects as the JSON documents they are. The operator reads and builds documents of many kinds, most of
// them not its own, so they stay documents; only our own kinds have C++ types (operator/api/v1).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace holdfast::kube {

using Json = nlohmann::json;

// Where a kind lives in the API: {"storage.holdfast.dev", "v1", "StorageCluster", "storageclusters", true}.
// The core group is the empty string.
struct ResourceKind {
  std::string group;
  std::string version;
  std::string kind;
  std::string plural;
  bool namespaced = true;

  std::string api_version() const { return group.empty() ? version : group + "/" + version; }
  friend auto operator<=>(const ResourceKind&, const ResourceKind&) = default;
};

struct ObjectKey {
  std::string ns;  // empty for cluster-scoped kinds
  std::string name;
  std::string ToString() const { return ns.empty() ? name : ns + "/" + name; }
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};

// Accessors that give an empty string (or 0) where the field is absent; they never throw.
ObjectKey KeyOf(const Json& object);
std::string UidOf(const Json& object);
std::string ResourceVersionOf(const Json& object);
std::int64_t GenerationOf(const Json& object);
bool IsBeingDeleted(const Json& object);
std::string LabelOf(const Json& object, std::string_view label);
// The field at a JSON pointer as a string, or "".
std::string StringAt(const Json& object, std::string_view pointer);
// Whether the condition of that type is True.
bool HasCondition(const Json& object, std::string_view type);
// Of a pod: it answers, and is not going.
bool IsReady(const Json& pod);

// The kinds the operator works with.
namespace kinds {
extern const ResourceKind kStorageCluster;
extern const ResourceKind kStorageMigration;
extern const ResourceKind kStorageBackup;
extern const ResourceKind kStorageRestore;
extern const ResourceKind kConfigMap;
extern const ResourceKind kSecret;
extern const ResourceKind kService;
extern const ResourceKind kServiceAccount;
extern const ResourceKind kPod;
extern const ResourceKind kPersistentVolumeClaim;
extern const ResourceKind kEvent;  // core/v1
extern const ResourceKind kStatefulSet;
extern const ResourceKind kDeployment;
extern const ResourceKind kJob;                  // batch/v1
extern const ResourceKind kPodDisruptionBudget;  // policy/v1
extern const ResourceKind kNetworkPolicy;        // networking.k8s.io/v1
extern const ResourceKind kRole;                 // rbac.authorization.k8s.io/v1
extern const ResourceKind kRoleBinding;
extern const ResourceKind kHorizontalPodAutoscaler;  // autoscaling/v2
extern const ResourceKind kLease;                    // coordination.k8s.io/v1
extern const ResourceKind kCustomResourceDefinition;
}  // namespace kinds

}  // namespace holdfast::kube
