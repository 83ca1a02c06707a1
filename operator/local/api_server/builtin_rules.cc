#include "operator/local/api_server/builtin_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "operator/kube/base64.h"
#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

void Default(Json& object, const char* field, Json value) {
  if (!object.contains(field) || object[field].is_null()) object[field] = std::move(value);
}

Json* Existing(Json& object, FieldPath path) {
  return const_cast<Json*>(FindField(object, path));
}

void DefaultProbe(Json& container, const char* name) {
  Json* probe = Existing(container, {name});
  if (probe == nullptr || !probe->is_object()) return;
  Default(*probe, "timeoutSeconds", 1);
  Default(*probe, "periodSeconds", 10);
  Default(*probe, "successThreshold", 1);
  Default(*probe, "failureThreshold", 3);
  if (Json* http = Existing(*probe, {"httpGet"}); http != nullptr && http->is_object()) {
    Default(*http, "path", "/");
    Default(*http, "scheme", "HTTP");
  }
}

void DefaultContainer(Json& container) {
  if (!container.is_object()) return;
  std::string image = TextAt(container, {"image"});
  std::size_t colon = image.rfind(':');
  bool latest = colon == std::string::npos || image.find('/', colon) != std::string::npos || image.ends_with(":latest");
  Default(container, "imagePullPolicy", latest ? "Always" : "IfNotPresent");
  Default(container, "resources", Json::object());
  Default(container, "terminationMessagePath", "/dev/termination-log");
  Default(container, "terminationMessagePolicy", "File");
  for (const char* probe : {"livenessProbe", "readinessProbe", "startupProbe"}) DefaultProbe(container, probe);
  if (Json* ports = Existing(container, {"ports"}); ports != nullptr && ports->is_array()) {
    for (Json& port : *ports) Default(port, "protocol", "TCP");
  }
  if (Json* env = Existing(container, {"env"}); env != nullptr && env->is_array()) {
    for (Json& each : *env) {
      if (Json* reference = Existing(each, {"valueFrom", "fieldRef"})) Default(*reference, "apiVersion", "v1");
    }
  }
}

void DefaultPodSpec(Json& spec) {
  Default(spec, "restartPolicy", "Always");
  Default(spec, "terminationGracePeriodSeconds", 30);
  Default(spec, "dnsPolicy", "ClusterFirst");
  Default(spec, "securityContext", Json::object());
  Default(spec, "schedulerName", "default-scheduler");
  if (std::string account = TextAt(spec, {"serviceAccountName"}); !account.empty()) {
    Default(spec, "serviceAccount", account);
  }
  for (const char* list : {"containers", "initContainers"}) {
    Json* containers = Existing(spec, {list});
    if (containers == nullptr || !containers->is_array()) continue;
    for (Json& container : *containers) DefaultContainer(container);
  }
  if (Json* volumes = Existing(spec, {"volumes"}); volumes != nullptr && volumes->is_array()) {
    for (Json& volume : *volumes) {
      for (const char* source : {"configMap", "secret", "projected", "downwardAPI"}) {
        if (Json* found = Existing(volume, {source}); found != nullptr && found->is_object()) {
          Default(*found, "defaultMode", 0644);
        }
      }
    }
  }
}

void DefaultStatefulSet(Json& object) {
  Json& spec = EnsureObject(object, {"spec"});
  Default(spec, "replicas", 1);
  Default(spec, "podManagementPolicy", "OrderedReady");
  Default(spec, "revisionHistoryLimit", 10);
  Default(spec, "persistentVolumeClaimRetentionPolicy", {{"whenDeleted", "Retain"}, {"whenScaled", "Retain"}});
  Json& strategy = EnsureObject(spec, {"updateStrategy"});
  Default(strategy, "type", "RollingUpdate");
  if (TextAt(strategy, {"type"}) == "RollingUpdate") Default(EnsureObject(strategy, {"rollingUpdate"}), "partition", 0);
  DefaultPodSpec(EnsureObject(spec, {"template", "spec"}));
  if (Json* claims = Existing(spec, {"volumeClaimTemplates"}); claims != nullptr && claims->is_array()) {
    for (Json& claim : *claims) {
      claim["apiVersion"] = "v1";
      claim["kind"] = "PersistentVolumeClaim";
      Default(EnsureObject(claim, {"spec"}), "volumeMode", "Filesystem");
      claim["status"] = {{"phase", "Pending"}};
    }
  }
  Json& status = EnsureObject(object, {"status"});
  Default(status, "replicas", 0);
  Default(status, "availableReplicas", 0);
}

// An address that stays the same for the life of the Service; nothing routes it here.
std::string ClusterAddress(const Json& object) {
  std::size_t hash = std::hash<std::string>()(UidOf(object));
  return fmt::format("10.96.{}.{}", hash / 251 % 251 + 1, hash % 251 + 2);
}

void DefaultService(const Json& live, Json& object) {
  Json& spec = EnsureObject(object, {"spec"});
  Default(spec, "type", "ClusterIP");
  Default(spec, "sessionAffinity", "None");
  Default(spec, "internalTrafficPolicy", "Cluster");
  Default(spec, "ipFamilies", Json::array({"IPv4"}));
  Default(spec, "ipFamilyPolicy", "SingleStack");
  std::string address = TextAt(live, {"spec", "clusterIP"});
  if (TextAt(spec, {"type"}) != "ExternalName") {
    Default(spec, "clusterIP", address.empty() ? ClusterAddress(object) : address);
    Default(spec, "clusterIPs", Json::array({spec["clusterIP"]}));
  }
  if (Json* ports = Existing(spec, {"ports"}); ports != nullptr && ports->is_array()) {
    for (Json& port : *ports) {
      Default(port, "protocol", "TCP");
      if (port.contains("port")) Default(port, "targetPort", port["port"]);
    }
  }
  Default(EnsureObject(object, {"status"}), "loadBalancer", Json::object());
}

void DefaultSecret(Json& object) {
  Default(object, "type", "Opaque");
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
  Default(EnsureObject(object, {"spec"}), "volumeMode", "Filesystem");
  Default(EnsureObject(object, {"status"}), "phase", "Pending");
  if (!live.is_null()) return;
  Json& finalizers = EnsureObject(object, {"metadata"})["finalizers"];
  if (!finalizers.is_array()) finalizers = Json::array();
  finalizers.push_back("kubernetes.io/pvc-protection");
}

void DefaultDefinition(Json& object) {
  Json& spec = EnsureObject(object, {"spec"});
  Default(EnsureObject(spec, {"conversion"}), "strategy", "None");
  Json& names = EnsureObject(spec, {"names"});
  std::string kind = TextAt(names, {"kind"});
  Default(names, "listKind", kind + "List");
  std::transform(kind.begin(), kind.end(), kind.begin(),
                 [](unsigned char each) { return static_cast<char>(std::tolower(each)); });
  Default(names, "singular", kind);
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

void ValidateStatefulSet(const Json& live, const Json& object, std::vector<FieldError>* problems) {
  const Json& labels = ObjectAt(object, {"spec", "template", "metadata", "labels"});
  for (const auto& [label, value] : ObjectAt(object, {"spec", "selector", "matchLabels"}).items()) {
    auto found = labels.find(label);
    if (found != labels.end() && *found == value) continue;
    problems->push_back(
        InvalidValue("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"));
    break;
  }
  if (ArrayAt(object, {"spec", "template", "spec", "containers"}).empty()) {
    problems->push_back(Required("spec.template.spec.containers"));
  }
  if (live.is_null()) return;
  Json before = ObjectAt(live, {"spec"});
  Json after = ObjectAt(object, {"spec"});
  for (const char* changeable : {"replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
                                 "persistentVolumeClaimRetentionPolicy", "minReadySeconds"}) {
    before.erase(changeable);
    after.erase(changeable);
  }
  if (before != after) {
    problems->push_back({"FieldValueForbidden", "spec",
                         "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', "
                         "'template', 'updateStrategy', 'revisionHistoryLimit', "
                         "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"});
  }
}

}  // namespace

void ApplyBuiltinDefaults(const ResourceType& type, const Json& live, Json* object) {
  const std::string& kind = type.kind.kind;
  if (type.custom) return;
  if (kind == "StatefulSet") DefaultStatefulSet(*object);
  if (kind == "Service") DefaultService(live, *object);
  if (kind == "Secret") DefaultSecret(*object);
  if (kind == "PersistentVolumeClaim") DefaultClaim(live, *object);
  if (kind == "CustomResourceDefinition") DefaultDefinition(*object);
  if (kind == "Pod") {
    DefaultPodSpec(EnsureObject(*object, {"spec"}));
    Default(EnsureObject(*object, {"status"}), "phase", "Pending");
  }
  if (kind == "Namespace") {
    EnsureObject(*object, {"metadata", "labels"})["kubernetes.io/metadata.name"] = NameOf(*object);
    Default(EnsureObject(*object, {"spec"}), "finalizers", Json::array({"kubernetes"}));
    Default(EnsureObject(*object, {"status"}), "phase", "Active");
  }
  if (kind == "PodDisruptionBudget") {
    Json& status = EnsureObject(*object, {"status"});
    for (const char* count : {"disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"}) {
      Default(status, count, 0);
    }
  }
}

std::vector<FieldError> ValidateObject(const ResourceType& type, const Json& live, const Json& object) {
  std::vector<FieldError> problems;
  ValidateMetadata(object, &problems);
  if (type.kind.kind == "StatefulSet" && !type.custom) ValidateStatefulSet(live, object, &problems);
  if (type.kind.kind == "Pod" && !type.custom && ArrayAt(object, {"spec", "containers"}).empty()) {
    problems.push_back(Required("spec.containers"));
  }
  return problems;
}

}  // namespace holdfast::local
