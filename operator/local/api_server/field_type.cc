#include "operator/local/api_server/field_type.h"

#include <map>

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

Json MapList(Json keys, Json item = Json::object()) {
  return {
      {"x-kubernetes-list-type", "map"}, {"x-kubernetes-list-map-keys", std::move(keys)}, {"items", std::move(item)}};
}
Json SetList() {
  return {{"x-kubernetes-list-type", "set"}};
}
Json Atomic() {
  return {{"x-kubernetes-map-type", "atomic"}};
}
Json Properties(Json properties) {
  return {{"properties", std::move(properties)}};
}
Json Under(const std::string& field, Json schema) {
  return Properties({{field, std::move(schema)}});
}
Json WithDefault(const char* value) {
  return {{"default", value}};
}

Json Container() {
  Json env = Properties({{"valueFrom", Properties({{"configMapKeyRef", Atomic()},
                                                   {"secretKeyRef", Atomic()},
                                                   {"fieldRef", Atomic()},
                                                   {"resourceFieldRef", Atomic()}})}});
  return Properties({{"env", MapList({"name"}, std::move(env))},
                     {"ports", MapList({"containerPort", "protocol"}, Under("protocol", WithDefault("TCP")))},
                     {"volumeMounts", MapList({"mountPath"})},
                     {"volumeDevices", MapList({"devicePath"})}});
}

Json PodSpec() {
  return Properties({{"containers", MapList({"name"}, Container())},
                     {"initContainers", MapList({"name"}, Container())},
                     {"volumes", MapList({"name"})},
                     {"imagePullSecrets", MapList({"name"}, Atomic())},
                     {"hostAliases", MapList({"ip"})},
                     {"topologySpreadConstraints", MapList({"topologyKey", "whenUnsatisfiable"})},
                     {"nodeSelector", Atomic()}});
}

Json Conditions() {
  return MapList({"type"});
}

Json Workload() {
  return Properties({{"spec", Properties({{"selector", Atomic()}, {"template", Under("spec", PodSpec())}})},
                     {"status", Under("conditions", Conditions())}});
}

const std::map<std::string, Json>& BuiltinSchemas() {
  static const auto* schemas = new std::map<std::string, Json>{
      {"Pod", Properties({{"spec", PodSpec()},
                          {"status", Properties({{"conditions", Conditions()}, {"podIPs", MapList({"ip"})}})}})},
      {"StatefulSet", Workload()},
      {"Deployment", Workload()},
      {"ReplicaSet", Workload()},
      {"Job", Workload()},
      {"NetworkPolicy", Under("spec", Under("podSelector", Atomic()))},
      {"RoleBinding", Under("roleRef", Atomic())},
      {"Service",
       Properties({{"spec", Properties({{"ports", MapList({"port", "protocol"}, Under("protocol", WithDefault("TCP")))},
                                        {"selector", Atomic()}})},
                   {"status", Under("conditions", Conditions())}})},
      {"ServiceAccount",
       Properties({{"secrets", MapList({"name"})}, {"imagePullSecrets", MapList({"name"}, Atomic())}})},
      {"PodDisruptionBudget",
       Properties({{"spec", Under("selector", Atomic())}, {"status", Under("conditions", Conditions())}})},
      {"PersistentVolumeClaim", Properties({{"spec", Properties({{"selector", Atomic()}, {"dataSource", Atomic()}})},
                                            {"status", Under("conditions", Conditions())}})},
      {"Namespace", Under("status", Under("conditions", Conditions()))},
      {"Event", Properties({{"involvedObject", Atomic()}, {"related", Atomic()}})},
      {"CustomResourceDefinition", Under("status", Properties({{"conditions", Conditions()}}))},
  };
  return *schemas;
}

const Json* MetadataSchema() {
  static const auto* schema =
      new Json(Properties({{"ownerReferences", MapList({"uid"}, Atomic())}, {"finalizers", SetList()}}));
  return schema;
}

}  // namespace

FieldType FieldType::Root(const Json* schema) {
  FieldType type(schema);
  type.root_ = true;
  return type;
}

FieldType FieldType::Field(const std::string& name) const {
  if (root_ && name == "metadata") return FieldType(MetadataSchema());
  if (schema_ == nullptr) return FieldType(nullptr);
  const Json* found = FindField(*schema_, {"properties", name});
  if (found == nullptr) found = FindField(*schema_, {"additionalProperties"});
  return FieldType(found != nullptr && found->is_object() ? found : nullptr);
}

FieldType FieldType::Item() const {
  return FieldType(schema_ == nullptr ? nullptr : FindField(*schema_, {"items"}));
}

bool FieldType::IsAtomicObject() const {
  return schema_ != nullptr && TextAt(*schema_, {"x-kubernetes-map-type"}) == "atomic";
}

FieldType::List FieldType::ListKind() const {
  if (schema_ == nullptr) return List::kAtomic;
  std::string kind = TextAt(*schema_, {"x-kubernetes-list-type"});
  if (kind == "map") return List::kMap;
  return kind == "set" ? List::kSet : List::kAtomic;
}

std::string FieldType::ElementOf(const Json& item) const {
  if (ListKind() == List::kSet) return "v:" + item.dump();
  if (ListKind() == List::kAtomic || !item.is_object()) return "";
  Json keys = Json::object();
  for (const Json& key : ArrayAt(*schema_, {"x-kubernetes-list-map-keys"})) {
    if (!key.is_string()) continue;
    std::string name = key.get<std::string>();
    if (const Json* value = FindField(item, {name}); value != nullptr) {
      keys[name] = *value;
    } else if (const Json* by_default = FindField(*schema_, {"items", "properties", name, "default"})) {
      keys[name] = *by_default;
    }
  }
  return keys.empty() ? std::string() : "k:" + keys.dump();
}

std::string FieldType::MergeKey() const {
  if (ListKind() != List::kMap) return "";
  const Json& keys = ArrayAt(*schema_, {"x-kubernetes-list-map-keys"});
  return keys.empty() || !keys[0].is_string() ? std::string() : keys[0].get<std::string>();
}

const Json* BuiltinFieldSchema(const std::string& kind) {
  auto found = BuiltinSchemas().find(kind);
  return found == BuiltinSchemas().end() ? nullptr : &found->second;
}

}  // namespace holdfast::local
