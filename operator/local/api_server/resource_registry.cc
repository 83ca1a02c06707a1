#include "operator/local/api_server/resource_registry.h"

#include <algorithm>
#include <mutex>

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

std::vector<std::string> Strings(const Json& list) {
  std::vector<std::string> strings;
  for (const Json& each : list) {
    if (each.is_string()) strings.push_back(each.get<std::string>());
  }
  return strings;
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char each) { return static_cast<char>(std::tolower(each)); });
  return text;
}

struct Builtin {
  const char* group;
  const char* version;
  const char* kind;
  const char* plural;
  const char* short_name;
  bool namespaced;
  bool status;
  bool generation;
  bool unconditional_update;
};

constexpr Builtin kBuiltins[] = {
    {"", "v1", "Namespace", "namespaces", "ns", false, true, false, true},
    {"", "v1", "ConfigMap", "configmaps", "cm", true, false, false, true},
    {"", "v1", "Secret", "secrets", "", true, false, false, true},
    {"", "v1", "Service", "services", "svc", true, true, false, true},
    {"", "v1", "ServiceAccount", "serviceaccounts", "sa", true, false, false, true},
    {"", "v1", "Pod", "pods", "po", true, true, false, true},
    {"", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", true, true, false, true},
    {"", "v1", "Event", "events", "ev", true, false, false, true},
    {"", "v1", "Endpoints", "endpoints", "ep", true, false, false, true},
    {"apps", "v1", "Deployment", "deployments", "deploy", true, true, true, true},
    {"apps", "v1", "ReplicaSet", "replicasets", "rs", true, true, true, true},
    {"batch", "v1", "Job", "jobs", "", true, true, true, true},
    {"rbac.authorization.k8s.io", "v1", "Role", "roles", "", true, false, false, true},
    {"rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", "", true, false, false, true},
    {"networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "netpol", true, false, true, true},
    {"autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", true, true, false, true},
    {"apps", "v1", "StatefulSet", "statefulsets", "sts", true, true, true, true},
    {"policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", true, true, true, false},
    {"coordination.k8s.io", "v1", "Lease", "leases", "", true, false, false, false},
    {"apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", "crd", false, true, true,
     false},
};

ResourceTypePtr MakeBuiltin(const Builtin& from) {
  auto type = std::make_shared<ResourceType>();
  type->kind = {from.group, from.version, from.kind, from.plural, from.namespaced};
  type->singular = Lower(from.kind);
  type->list_kind = std::string(from.kind) + "List";
  if (*from.short_name != '\0') type->short_names.emplace_back(from.short_name);
  type->status_subresource = from.status;
  type->counts_generation = from.generation;
  type->unconditional_update = from.unconditional_update;
  type->graceful_delete = type->kind.kind == "Pod";
  type->field_schema = BuiltinFieldSchema(from.kind);
  for (const char* each : {"Pod", "Service", "StatefulSet", "Deployment", "ReplicaSet", "Job"}) {
    if (type->kind.kind == each) type->categories.emplace_back("all");
  }
  for (const char* each : {"StatefulSet", "Deployment", "ReplicaSet"}) {
    if (type->kind.kind == each) type->scale = {".spec.replicas", ".status.replicas", ""};
  }
  return type;
}

PrinterColumn ColumnFrom(const Json& column) {
  return {TextAt(column, {"name"}),
          TextAt(column, {"type"}),
          TextAt(column, {"format"}),
          TextAt(column, {"description"}),
          static_cast<int>(IntegerAt(column, {"priority"})),
          TextAt(column, {"jsonPath"})};
}

ResourceTypePtr MakeCustom(const Json& definition, const Json& version) {
  const Json& names = ObjectAt(definition, {"spec", "names"});
  auto type = std::make_shared<ResourceType>();
  type->kind = {TextAt(definition, {"spec", "group"}), TextAt(version, {"name"}), TextAt(names, {"kind"}),
                TextAt(names, {"plural"}), TextAt(definition, {"spec", "scope"}) == "Namespaced"};
  type->singular = TextAt(names, {"singular"});
  if (type->singular.empty()) type->singular = Lower(type->kind.kind);
  type->list_kind = TextAt(names, {"listKind"});
  if (type->list_kind.empty()) type->list_kind = type->kind.kind + "List";
  type->short_names = Strings(ArrayAt(names, {"shortNames"}));
  type->categories = Strings(ArrayAt(names, {"categories"}));
  type->custom = true;
  type->counts_generation = true;
  type->unconditional_update = false;
  type->status_subresource = FindField(version, {"subresources", "status"}) != nullptr;
  if (const Json* scale = FindField(version, {"subresources", "scale"})) {
    type->scale = {TextAt(*scale, {"specReplicasPath"}), TextAt(*scale, {"statusReplicasPath"}),
                   TextAt(*scale, {"labelSelectorPath"})};
  }
  for (const Json& column : ArrayAt(version, {"additionalPrinterColumns"})) type->columns.push_back(ColumnFrom(column));
  if (type->columns.empty()) type->columns.push_back({"Age", "date", "", "", 0, ".metadata.creationTimestamp"});
  type->schema = std::make_shared<const Json>(ObjectAt(version, {"schema", "openAPIV3Schema"}));
  type->field_schema = type->schema.get();
  return type;
}

std::vector<FieldError> CheckDefinition(const Json& definition) {
  std::vector<FieldError> problems;
  const Json& spec = ObjectAt(definition, {"spec"});
  for (const char* field : {"group", "scope"}) {
    if (TextAt(spec, {field}).empty()) problems.push_back(Required(std::string("spec.") + field));
  }
  for (const char* field : {"plural", "kind"}) {
    if (TextAt(spec, {"names", field}).empty()) problems.push_back(Required(std::string("spec.names.") + field));
  }
  std::string expected = TextAt(spec, {"names", "plural"}) + "." + TextAt(spec, {"group"});
  if (problems.empty() && NameOf(definition) != expected) {
    problems.push_back(InvalidValue("metadata.name", NameOf(definition), "must be spec.names.plural+\".\"+spec.group"));
  }
  std::int64_t storage_versions = 0;
  const Json& versions = ArrayAt(spec, {"versions"});
  for (std::size_t i = 0; i < versions.size(); ++i) {
    if (BoolAt(versions[i], {"storage"})) ++storage_versions;
    if (FindField(versions[i], {"schema", "openAPIV3Schema"}) == nullptr) {
      problems.push_back(
          Required("spec.versions[" + std::to_string(i) + "].schema.openAPIV3Schema", "schemas are required"));
    }
  }
  if (storage_versions != 1) {
    problems.push_back(
        InvalidValue("spec.versions", storage_versions, "must have exactly one version marked as storage version"));
  }
  return problems;
}

}  // namespace

std::string ResourceType::Resource() const {
  return kind.group.empty() ? kind.plural : kind.plural + "." + kind.group;
}

std::string ResourceType::QualifiedKind() const {
  return kind.group.empty() ? kind.kind : kind.kind + "." + kind.group;
}

ResourceRegistry::ResourceRegistry() {
  for (const Builtin& each : kBuiltins) types_.push_back(MakeBuiltin(each));
}

Answer<bool> ResourceRegistry::Register(const Json& definition) {
  std::vector<FieldError> problems = CheckDefinition(definition);
  if (!problems.empty()) {
    return errors::Invalid("CustomResourceDefinition.apiextensions.k8s.io", NameOf(definition), problems);
  }
  std::vector<ResourceTypePtr> types;
  for (const Json& version : ArrayAt(definition, {"spec", "versions"})) {
    if (BoolAt(version, {"served"})) types.push_back(MakeCustom(definition, version));
  }
  std::unique_lock lock(mutex_);
  Forget(NameOf(definition));
  types_.insert(types_.end(), types.begin(), types.end());
  by_definition_[NameOf(definition)] = std::move(types);
  return true;
}

void ResourceRegistry::Unregister(const std::string& definition_name) {
  std::unique_lock lock(mutex_);
  Forget(definition_name);
}

void ResourceRegistry::Forget(const std::string& definition_name) {
  auto found = by_definition_.find(definition_name);
  if (found == by_definition_.end()) return;
  for (const ResourceTypePtr& each : found->second) std::erase(types_, each);
  by_definition_.erase(found);
}

ResourceTypePtr ResourceRegistry::Find(const std::string& group, const std::string& version,
                                       const std::string& plural) const {
  std::shared_lock lock(mutex_);
  for (const ResourceTypePtr& each : types_) {
    if (each->kind.group == group && each->kind.version == version && each->kind.plural == plural) return each;
  }
  return nullptr;
}

ResourceTypePtr ResourceRegistry::FindResource(const std::string& resource) const {
  std::shared_lock lock(mutex_);
  for (const ResourceTypePtr& each : types_) {
    if (each->Resource() == resource) return each;
  }
  return nullptr;
}

ResourceTypePtr ResourceRegistry::FindKind(const std::string& api_version, const std::string& kind) const {
  std::shared_lock lock(mutex_);
  for (const ResourceTypePtr& each : types_) {
    if (each->kind.api_version() == api_version && each->kind.kind == kind) return each;
  }
  return nullptr;
}

bool ResourceRegistry::ServesGroup(const std::string& group) const {
  std::shared_lock lock(mutex_);
  return std::any_of(types_.begin(), types_.end(), [&](const auto& each) { return each->kind.group == group; });
}

bool ResourceRegistry::ServesVersion(const std::string& group, const std::string& version) const {
  std::shared_lock lock(mutex_);
  return std::any_of(types_.begin(), types_.end(),
                     [&](const auto& each) { return each->kind.group == group && each->kind.version == version; });
}

std::vector<ResourceTypePtr> ResourceRegistry::All() const {
  std::shared_lock lock(mutex_);
  return types_;
}

}  // namespace holdfast::local
