#include "operator/kube/object.h"

#include <algorithm>

namespace holdfast::kube {
namespace {

// The member of an object, or nullptr; never throws, whatever the document is.
const Json* Member(const Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

const Json* Metadata(const Json& object, std::string_view name) {
  const Json* metadata = Member(object, "metadata");
  return metadata == nullptr ? nullptr : Member(*metadata, name);
}

std::string TextOf(const Json* value) {
  if (value == nullptr) return {};
  const auto* text = value->get_ptr<const Json::string_t*>();
  return text == nullptr ? std::string() : *text;
}

}  // namespace

ObjectKey KeyOf(const Json& object) {
  return {TextOf(Metadata(object, "namespace")), TextOf(Metadata(object, "name"))};
}

std::string UidOf(const Json& object) {
  return TextOf(Metadata(object, "uid"));
}

std::string ResourceVersionOf(const Json& object) {
  return TextOf(Metadata(object, "resourceVersion"));
}

std::int64_t GenerationOf(const Json& object) {
  const Json* generation = Metadata(object, "generation");
  return generation != nullptr && generation->is_number_integer() ? generation->get<std::int64_t>() : 0;
}

bool IsBeingDeleted(const Json& object) {
  return !TextOf(Metadata(object, "deletionTimestamp")).empty();
}

std::string LabelOf(const Json& object, std::string_view label) {
  const Json* labels = Metadata(object, "labels");
  return labels == nullptr ? std::string() : TextOf(Member(*labels, label));
}

std::string StringAt(const Json& object, std::string_view pointer) {
  try {
    const Json::json_pointer path{std::string(pointer)};
    return object.contains(path) ? TextOf(&object.at(path)) : std::string();
  } catch (const Json::exception&) {  // a malformed pointer, or an index into something that is no array
    return {};
  }
}

bool HasCondition(const Json& object, std::string_view type) {
  static const Json::json_pointer pointer("/status/conditions");
  if (!object.contains(pointer) || !object.at(pointer).is_array()) return false;
  return std::any_of(object.at(pointer).begin(), object.at(pointer).end(), [&](const Json& condition) {
    return StringAt(condition, "/type") == type && StringAt(condition, "/status") == "True";
  });
}

bool IsReady(const Json& pod) {
  return !IsBeingDeleted(pod) && HasCondition(pod, "Ready");
}

namespace kinds {
const ResourceKind kStorageCluster{"storage.holdfast.dev", "v1", "StorageCluster", "storageclusters", true};
const ResourceKind kStorageMigration{"storage.holdfast.dev", "v1", "StorageMigration", "storagemigrations", true};
const ResourceKind kStorageBackup{"storage.holdfast.dev", "v1", "StorageBackup", "storagebackups", true};
const ResourceKind kStorageRestore{"storage.holdfast.dev", "v1", "StorageRestore", "storagerestores", true};
const ResourceKind kConfigMap{"", "v1", "ConfigMap", "configmaps", true};
const ResourceKind kSecret{"", "v1", "Secret", "secrets", true};
const ResourceKind kService{"", "v1", "Service", "services", true};
const ResourceKind kServiceAccount{"", "v1", "ServiceAccount", "serviceaccounts", true};
const ResourceKind kPod{"", "v1", "Pod", "pods", true};
const ResourceKind kPersistentVolumeClaim{"", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true};
const ResourceKind kEvent{"", "v1", "Event", "events", true};
const ResourceKind kStatefulSet{"apps", "v1", "StatefulSet", "statefulsets", true};
const ResourceKind kPodDisruptionBudget{"policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true};
const ResourceKind kDeployment{"apps", "v1", "Deployment", "deployments", true};
const ResourceKind kJob{"batch", "v1", "Job", "jobs", true};
const ResourceKind kNetworkPolicy{"networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", true};
const ResourceKind kRole{"rbac.authorization.k8s.io", "v1", "Role", "roles", true};
const ResourceKind kRoleBinding{"rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", true};
const ResourceKind kHorizontalPodAutoscaler{"autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers",
                                            true};
const ResourceKind kLease{"coordination.k8s.io", "v1", "Lease", "leases", true};
const ResourceKind kCustomResourceDefinition{"apiextensions.k8s.io", "v1", "CustomResourceDefinition",
                                             "customresourcedefinitions", false};
}  // namespace kinds

}  // namespace holdfast::kube
