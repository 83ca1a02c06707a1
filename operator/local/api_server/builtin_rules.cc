#include "operator/local/api_server/builtin_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "operator/kube/base64.h"
#include "operator/local/api_server/json_access.h"
#include "operator/local/api_server/workload_rules.h"

namespace holdfast::local {
namespace {

// An address that stays the same for the life of the Service; nothing routes it here.
std::string ClusterAddress(const Json& object) {
  std::size_t hash = std::hash<std::string>()(UidOf(object));
  return fmt::format("10.96.{}.{}", hash / 251 % 251 + 1, hash % 251 + 2);
}

void DefaultService(const Json& live, Json& object) {
  Json& spec = EnsureObject(object, {"spec"});
  SetDefault(spec, "type", "ClusterIP");
  SetDefault(spec, "sessionAffinity", "None");
  SetDefault(spec, "internalTrafficPolicy", "Cluster");
  SetDefault(spec, "ipFamilies", Json::array({"IPv4"}));
  SetDefault(spec, "ipFamilyPolicy", "SingleStack");
  std::string address = TextAt(live, {"spec", "clusterIP"});
  if (TextAt(spec, {"type"}) != "ExternalName") {
    SetDefault(spec, "clusterIP", address.empty() ? ClusterAddress(object) : address);
    SetDefault(spec, "clusterIPs", Json::array({spec["clusterIP"]}));
  }
  if (Json* ports = FindField(&spec, {"ports"}); ports != nullptr && ports->is_array()) {
    for (Json& port : *ports) {
      SetDefault(port, "protocol", "TCP");
      if (port.contains("port")) SetDefault(port, "targetPort", port["port"]);
    }
  }
  SetDefault(EnsureObject(object, {"status"}), "loadBalancer", Json::object());
}

void DefaultSecret(Json& object) {
  SetDefault(object, "type", "Opaque");
  auto plain = object.find("stringData");
  if (plain == object.end()) return;
  Json values = *plain;
  object.erase(plain);
  if (!values.is_object()) return;
  for (const auto& [name, value] : values.items()) {
    if (value.is_string()) EnsureObject(object, {"data"})[name] = kube::Base64Encode(value.get<std::string>());
  }
}

void DefaultClaim(const Json& live, Json& object) {
  SetDefault(EnsureObject(object, {"spec"}), "volumeMode", "Filesystem");
  SetDefault(EnsureObject(object, {"status"}), "phase", "Pending");
  if (!live.is_null()) return;
  Json& finalizers = EnsureObject(object, {"metadata"})["finalizers"];
  if (!finalizers.is_array()) finalizers = Json::array();
  finalizers.push_back("kubernetes.io/pvc-protection");
}

void DefaultDefinition(Json& object) {
  Json& spec = EnsureObject(object, {"spec"});
  SetDefault(EnsureObject(spec, {"conversion"}), "strategy", "None");
  Json& names = EnsureObject(spec, {"names"});
  std::string kind = TextAt(names, {"kind"});
  SetDefault(names, "listKind", kind + "List");
  std::transform(kind.begin(), kind.end(), kind.begin(),
                 [](unsigned char each) { return static_cast<char>(std::tolower(each)); });
  SetDefault(names, "singular", kind);
}

bool IsAlphanumeric(char each) {
  return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') || (each >= '0' && each <= '9');
}

bool IsLabelValue(const std::string& value) {
  if (value.empty()) return true;
  if (!IsAlphanumeric(value.front()) || !IsAlphanumeric(value.back())) return false;
  return std::all_of(value.begin(), value.end(),
                     [](char each) { return IsAlphanumeric(each) || each == '-' || each == '_' || each == '.'; });
}

bool IsSubdomain(const std::string& name) {
  if (name.empty() || name.size() > 253) return false;
  char before = '.';
  for (std::size_t i = 0; i <= name.size(); ++i) {
    char each = i < name.size() ? name[i] : '.';
    bool letter = (each >= 'a' && each <= 'z') || (each >= '0' && each <= '9');
    if (!letter && each != '-' && each != '.') return false;
    if ((before == '.' || each == '.') && !letter && !(each == '.' && before != '.' && before != '-')) return false;
    before = each;
  }
  return true;
}

void ValidateMetadata(const Json& object, std::vector<FieldError>* problems) {
  std::string name = NameOf(object);
  if (!IsSubdomain(name)) {
    problems->push_back(InvalidValue(
        "metadata.name", name,
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"));
  }
  for (const auto& [label, value] : ObjectAt(object, {"metadata", "labels"}).items()) {
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (text.size() > 63) {
      problems->push_back(InvalidValue("metadata.labels", text, "must be no more than 63 bytes"));
    } else if (!IsLabelValue(text)) {
      problems->push_back(InvalidValue(
          "metadata.labels", text,
          "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
          "start "
          "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
          "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"));
    }
  }
  const Json& owners = ArrayAt(object, {"metadata", "ownerReferences"});
  for (std::size_t i = 0; i < owners.size(); ++i) {
    for (const char* field : {"apiVersion", "kind", "name", "uid"}) {
      if (TextAt(owners[i], {field}).empty()) {
        problems->push_back(InvalidValue(fmt::format("metadata.ownerReferences.{}", field), "", "must not be empty"));
      }
    }
  }
}

}  // namespace

void ApplyBuiltinDefaults(const ResourceType& type, const Json& live, Json* object) {
  const std::string& kind = type.kind.kind;
  if (type.custom) return;
  DefaultWorkload(kind, live, object);
  if (kind == "Service") DefaultService(live, *object);
  if (kind == "Secret") DefaultSecret(*object);
  if (kind == "PersistentVolumeClaim") DefaultClaim(live, *object);
  if (kind == "CustomResourceDefinition") DefaultDefinition(*object);
  if (kind == "Pod") {
    SetDefault(EnsureObject(*object, {"status"}), "phase", "Pending");
  }
  if (kind == "Namespace") {
    EnsureObject(*object, {"metadata", "labels"})["kubernetes.io/metadata.name"] = NameOf(*object);
    SetDefault(EnsureObject(*object, {"spec"}), "finalizers", Json::array({"kubernetes"}));
    SetDefault(EnsureObject(*object, {"status"}), "phase", "Active");
  }
  if (kind == "PodDisruptionBudget") {
    Json& status = EnsureObject(*object, {"status"});
    for (const char* count : {"disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"}) {
      SetDefault(status, count, 0);
    }
  }
}

std::vector<FieldError> ValidateObject(const ResourceType& type, const Json& live, const Json& object) {
  std::vector<FieldError> problems;
  ValidateMetadata(object, &problems);
  if (!type.custom) ValidateWorkload(type.kind.kind, live, object, &problems);
  return problems;
}

}  // namespace holdfast::local
