#include "operator/local/api_server/workload_rules.h"

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

void DefaultProbe(Json& container, const char* name) {
  Json* probe = FindField(&container, {name});
  if (probe == nullptr || !probe->is_object()) return;
  SetDefault(*probe, "timeoutSeconds", 1);
  SetDefault(*probe, "periodSeconds", 10);
  SetDefault(*probe, "successThreshold", 1);
  SetDefault(*probe, "failureThreshold", 3);
  if (Json* http = FindField(probe, {"httpGet"}); http != nullptr && http->is_object()) {
    SetDefault(*http, "path", "/");
    SetDefault(*http, "scheme", "HTTP");
  }
}

void DefaultContainer(Json& container) {
  if (!container.is_object()) return;
  std::string image = TextAt(container, {"image"});
  std::size_t colon = image.rfind(':');
  bool latest = colon == std::string::npos || image.find('/', colon) != std::string::npos || image.ends_with(":latest");
  SetDefault(container, "imagePullPolicy", latest ? "Always" : "IfNotPresent");
  SetDefault(container, "resources", Json::object());
  SetDefault(container, "terminationMessagePath", "/dev/termination-log");
  SetDefault(container, "terminationMessagePolicy", "File");
  for (const char* probe : {"livenessProbe", "readinessProbe", "startupProbe"}) DefaultProbe(container, probe);
  if (Json* ports = FindField(&container, {"ports"}); ports != nullptr && ports->is_array()) {
    for (Json& port : *ports) SetDefault(port, "protocol", "TCP");
  }
  if (Json* env = FindField(&container, {"env"}); env != nullptr && env->is_array()) {
    for (Json& each : *env) {
      if (Json* reference = FindField(&each, {"valueFrom", "fieldRef"})) SetDefault(*reference, "apiVersion", "v1");
    }
  }
}

void DefaultPodSpec(Json& spec) {
  SetDefault(spec, "restartPolicy", "Always");
  SetDefault(spec, "terminationGracePeriodSeconds", 30);
  SetDefault(spec, "dnsPolicy", "ClusterFirst");
  SetDefault(spec, "securityContext", Json::object());
  SetDefault(spec, "schedulerName", "default-scheduler");
  if (std::string account = TextAt(spec, {"serviceAccountName"}); !account.empty()) {
    SetDefault(spec, "serviceAccount", account);
  }
  for (const char* list : {"containers", "initContainers"}) {
    Json* containers = FindField(&spec, {list});
    if (containers == nullptr || !containers->is_array()) continue;
    for (Json& container : *containers) DefaultContainer(container);
  }
  if (Json* volumes = FindField(&spec, {"volumes"}); volumes != nullptr && volumes->is_array()) {
    for (Json& volume : *volumes) {
      for (const char* source : {"configMap", "secret", "projected", "downwardAPI"}) {
        if (Json* found = FindField(&volume, {source}); found != nullptr && found->is_object()) {
          SetDefault(*found, "defaultMode", 0644);
        }
      }
    }
  }
}

void DefaultStatefulSet(Json& object) {
  Json& spec = EnsureObject(object, {"spec"});
  SetDefault(spec, "replicas", 1);
  SetDefault(spec, "podManagementPolicy", "OrderedReady");
  SetDefault(spec, "revisionHistoryLimit", 10);
  SetDefault(spec, "persistentVolumeClaimRetentionPolicy", {{"whenDeleted", "Retain"}, {"whenScaled", "Retain"}});
  Json& strategy = EnsureObject(spec, {"updateStrategy"});
  SetDefault(strategy, "type", "RollingUpdate");
  if (TextAt(strategy, {"type"}) == "RollingUpdate")
    SetDefault(EnsureObject(strategy, {"rollingUpdate"}), "partition", 0);
  DefaultPodSpec(EnsureObject(spec, {"template", "spec"}));
  if (Json* claims = FindField(&spec, {"volumeClaimTemplates"}); claims != nullptr && claims->is_array()) {
    for (Json& claim : *claims) {
      claim["apiVersion"] = "v1";
      claim["kind"] = "PersistentVolumeClaim";
      SetDefault(EnsureObject(claim, {"spec"}), "volumeMode", "Filesystem");
      claim["status"] = {{"phase", "Pending"}};
    }
  }
  Json& status = EnsureObject(object, {"status"});
  SetDefault(status, "replicas", 0);
  SetDefault(status, "availableReplicas", 0);
}

void DefaultDeployment(Json& object) {
  Json& spec = EnsureObject(object, {"spec"});
  SetDefault(spec, "replicas", 1);
  SetDefault(spec, "revisionHistoryLimit", 10);
  SetDefault(spec, "progressDeadlineSeconds", 600);
  Json& strategy = EnsureObject(spec, {"strategy"});
  SetDefault(strategy, "type", "RollingUpdate");
  if (TextAt(strategy, {"type"}) == "RollingUpdate") {
    Json& rolling = EnsureObject(strategy, {"rollingUpdate"});
    SetDefault(rolling, "maxSurge", "25%");
    SetDefault(rolling, "maxUnavailable", "25%");
  }
  DefaultPodSpec(EnsureObject(spec, {"template", "spec"}));
  EnsureObject(object, {"status"});
}

void DefaultReplicaSet(Json& object) {
  Json& spec = EnsureObject(object, {"spec"});
  SetDefault(spec, "replicas", 1);
  DefaultPodSpec(EnsureObject(spec, {"template", "spec"}));
  SetDefault(EnsureObject(object, {"status"}), "replicas", 0);
}

// A Job finds its pods by its own uid, which its template gets as a label.
void DefaultJob(const Json& live, Json& object) {
  Json& spec = EnsureObject(object, {"spec"});
  SetDefault(spec, "parallelism", 1);
  SetDefault(spec, "completions", 1);
  SetDefault(spec, "backoffLimit", 6);
  SetDefault(spec, "completionMode", "NonIndexed");
  SetDefault(spec, "suspend", false);
  DefaultPodSpec(EnsureObject(spec, {"template", "spec"}));
  EnsureObject(object, {"status"});
  std::string uid = live.is_null() ? UidOf(object) : UidOf(live);
  Json& labels = EnsureObject(spec, {"template", "metadata", "labels"});
  for (const char* prefix : {"", "batch.kubernetes.io/"}) {
    SetDefault(labels, std::string(prefix) + "controller-uid", uid);
    SetDefault(labels, std::string(prefix) + "job-name", NameOf(object));
  }
  SetDefault(EnsureObject(spec, {"selector", "matchLabels"}), "batch.kubernetes.io/controller-uid", uid);
}

void ValidateTemplate(const Json& object, std::vector<FieldError>* problems) {
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
}

void ValidateStatefulSet(const Json& live, const Json& object, std::vector<FieldError>* problems) {
  const Json& strategy = ObjectAt(object, {"spec", "updateStrategy"});
  if (TextAt(strategy, {"type"}) == "OnDelete" && strategy.contains("rollingUpdate")) {
    problems->push_back(InvalidValue("spec.updateStrategy.rollingUpdate", strategy.at("rollingUpdate"),
                                     "only allowed for updateStrategy 'RollingUpdate'"));
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

void Immutable(const char* field, const Json& live, const Json& object, std::vector<FieldError>* problems) {
  if (live.is_null() || ObjectAt(live, {"spec", field}) == ObjectAt(object, {"spec", field})) return;
  problems->push_back(
      InvalidValue(std::string("spec.") + field, ObjectAt(object, {"spec", field}), "field is immutable"));
}

void ValidateJob(const Json& object, std::vector<FieldError>* problems) {
  std::string policy = TextAt(object, {"spec", "template", "spec", "restartPolicy"});
  if (policy == "OnFailure" || policy == "Never") return;
  problems->push_back({"FieldValueNotSupported", "spec.template.spec.restartPolicy",
                       "Unsupported value: \"" + policy + "\": supported values: \"OnFailure\", \"Never\""});
}

}  // namespace

void DefaultWorkload(const std::string& kind, const Json& live, Json* object) {
  if (kind == "Pod") DefaultPodSpec(EnsureObject(*object, {"spec"}));
  if (kind == "StatefulSet") DefaultStatefulSet(*object);
  if (kind == "Deployment") DefaultDeployment(*object);
  if (kind == "ReplicaSet") DefaultReplicaSet(*object);
  if (kind == "Job") DefaultJob(live, *object);
}

void ValidateWorkload(const std::string& kind, const Json& live, const Json& object,
                      std::vector<FieldError>* problems) {
  if (kind == "Pod" && ArrayAt(object, {"spec", "containers"}).empty())
    problems->push_back(Required("spec.containers"));
  bool makes_pods = kind == "StatefulSet" || kind == "Deployment" || kind == "ReplicaSet" || kind == "Job";
  if (makes_pods) ValidateTemplate(object, problems);
  if (kind == "StatefulSet") ValidateStatefulSet(live, object, problems);
  if (kind == "Deployment" || kind == "ReplicaSet") Immutable("selector", live, object, problems);
  if (kind == "Job") {
    ValidateJob(object, problems);
    Immutable("selector", live, object, problems);
    Immutable("template", live, object, problems);
  }
}

}  // namespace holdfast::local
