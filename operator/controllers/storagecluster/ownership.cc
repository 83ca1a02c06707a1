#include "operator/controllers/storagecluster/ownership.h"

#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

// The controlling owner reference, or nullptr.
const kube::Json* Controller(const kube::Json& object) {
  static const kube::Json::json_pointer references("/metadata/ownerReferences");
  if (!object.contains(references) || !object.at(references).is_array()) return nullptr;
  for (const kube::Json& reference : object.at(references)) {
    if (reference.is_object() && reference.value("controller", kube::Json()) == kube::Json(true)) return &reference;
  }
  return nullptr;
}

}  // namespace

std::string ControllerUid(const kube::Json& object) {
  const kube::Json* controller = Controller(object);
  return controller != nullptr ? kube::StringAt(*controller, "/uid") : std::string();
}

Ownership OwnershipOf(const kube::Json& object, const api::StorageCluster& cluster) {
  const kube::Json* controller = Controller(object);
  if (controller == nullptr) {
    // An object of ours whose owner reference was taken off, or left behind by a deletion that orphans.
    const bool managed = kube::LabelOf(object, resources::kManagedByLabel) == resources::kFieldManager;
    const bool labelled = managed && (kube::LabelOf(object, resources::kClusterLabel) == cluster.name ||
                                      kube::LabelOf(object, resources::kOwnerUidLabel) == cluster.uid);
    return labelled ? Ownership::kOurs : Ownership::kForeign;
  }
  if (kube::StringAt(*controller, "/uid") == cluster.uid) return Ownership::kOurs;
  const bool same_name = kube::StringAt(*controller, "/kind") == api::kStorageClusterKind &&
                         kube::StringAt(*controller, "/apiVersion").rfind(api::kGroup, 0) == 0 &&
                         kube::StringAt(*controller, "/name") == cluster.name;
  return same_name ? Ownership::kFormer : Ownership::kForeign;
}

std::string DescribeObject(const kube::ResourceKind& kind, const kube::Json& object) {
  std::string text = kind.kind + " " + kube::KeyOf(object).ToString();
  if (const kube::Json* controller = Controller(object)) {
    text += ", controlled by " + kube::StringAt(*controller, "/kind") + " " + kube::StringAt(*controller, "/name");
  }
  return text;
}

}  // namespace holdfast::storagecluster
