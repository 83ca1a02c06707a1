#include "operator/local/api_server/builtin_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

using Cell = std::function<Json(const Json& object, Timestamp now)>;

struct Column {
  const char* name;
  const char* type;
  int priority;  // 1 = only with -o wide
  Cell cell;
};

std::string OrNone(const std::string& text) {
  return text.empty() ? "<none>" : text;
}

Json Name(const Json& object, Timestamp) {
  return NameOf(object);
}
Json Age(const Json& object, Timestamp now) {
  return AgeCell(TextAt(object, {"metadata", "creationTimestamp"}), now);
}

std::string JoinStrings(const Json& list, const char* field) {
  std::string joined;
  for (const Json& each : list) {
    std::string text = field == nullptr ? (each.is_string() ? each.get<std::string>() : "") : TextAt(each, {field});
    joined += (joined.empty() ? "" : ",") + text;
  }
  return joined;
}

std::string SelectorText(const Json& labels) {
  std::string text;
  for (const auto& [label, value] : labels.items()) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", label, value.is_string() ? value.get<std::string>() : "");
  }
  return OrNone(text);
}

Json PodReady(const Json& object, Timestamp) {
  std::size_t ready = 0;
  for (const Json& each : ArrayAt(object, {"status", "containerStatuses"})) ready += BoolAt(each, {"ready"}) ? 1u : 0u;
  return fmt::format("{}/{}", ready, ArrayAt(object, {"spec", "containers"}).size());
}

Json PodStatus(const Json& object, Timestamp) {
  if (IsTerminating(object)) return "Terminating";
  std::string status = TextAt(object, {"status", "phase"});
  for (const Json& each : ArrayAt(object, {"status", "containerStatuses"})) {
    std::string waiting = TextAt(each, {"state", "waiting", "reason"});
    std::string terminated = TextAt(each, {"state", "terminated", "reason"});
    if (!waiting.empty()) status = waiting;
    if (!terminated.empty()) status = terminated;
  }
  return status;
}

Json PodRestarts(const Json& object, Timestamp now) {
  std::int64_t restarts = 0;
  std::string last;
  for (const Json& each : ArrayAt(object, {"status", "containerStatuses"})) {
    restarts += IntegerAt(each, {"restartCount"});
    last = std::max(last, TextAt(each, {"lastState", "terminated", "finishedAt"}));
  }
  if (restarts == 0 || last.empty()) return std::to_string(restarts);
  return fmt::format("{} ({} ago)", restarts, AgeCell(last, now).get<std::string>());
}

Json ServicePorts(const Json& object, Timestamp) {
  std::string text;
  for (const Json& port : ArrayAt(object, {"spec", "ports"})) {
    text += fmt::format("{}{}/{}", text.empty() ? "" : ",", IntegerAt(port, {"port"}), TextAt(port, {"protocol"}));
  }
  return OrNone(text);
}

Json EventObject(const Json& object, Timestamp) {
  std::string kind = TextAt(object, {"involvedObject", "kind"});
  std::transform(kind.begin(), kind.end(), kind.begin(),
                 [](unsigned char each) { return static_cast<char>(std::tolower(each)); });
  return kind + "/" + TextAt(object, {"involvedObject", "name"});
}

Json ClaimStatus(const Json& object, Timestamp) {
  return IsTerminating(object) ? "Terminating" : TextAt(object, {"status", "phase"});
}

Json ClaimModes(const Json& object, Timestamp) {
  std::string text;
  for (const Json& mode : ArrayAt(object, {"status", "accessModes"})) {
    std::string letters;
    for (char each : mode.is_string() ? mode.get<std::string>() : "") {
      if (each >= 'A' && each <= 'Z') letters += each;
    }
    // ReadWriteOnce is RWO, ReadOnlyMany ROX, ReadWriteMany RWX.
    if (letters.ends_with("M")) letters.back() = 'X';
    text += (text.empty() ? "" : ",") + letters;
  }
  return text;
}

Json CountOf(const Json& object, FieldPath path) {
  const Json* found = FindField(object, path);
  return found == nullptr ? 0 : static_cast<std::int64_t>(found->size());
}

Cell Text(const char* parent, const char* field) {
  return [parent, field](const Json& object, Timestamp) -> Json { return TextAt(object, {parent, field}); };
}

Cell NumberOrNotApplicable(const char* field) {
  return [field](const Json& object, Timestamp) -> Json {
    const Json* value = FindField(object, {"spec", field});
    if (value == nullptr) return "N/A";
    return value->is_string() ? *value : Json(value->dump());
  };
}

std::vector<Column> PodColumns() {
  return {{"Name", "string", 0, Name},
          {"Ready", "string", 0, PodReady},
          {"Status", "string", 0, PodStatus},
          {"Restarts", "string", 0, PodRestarts},
          {"Age", "string", 0, Age},
          {"IP", "string", 1,
           [](const Json& o, Timestamp) -> Json {
             return OrNone(TextAt(o, {"status", "podIP"}));
           }},
          {"Node", "string", 1, [](const Json& o, Timestamp) -> Json {
             return OrNone(TextAt(o, {"spec", "nodeName"}));
           }}};
}

std::vector<Column> StatefulSetColumns() {
  return {{"Name", "string", 0, Name},
          {"Ready", "string", 0,
           [](const Json& o, Timestamp) -> Json {
             return fmt::format("{}/{}", IntegerAt(o, {"status", "readyReplicas"}), IntegerAt(o, {"spec", "replicas"}));
           }},
          {"Age", "string", 0, Age},
          {"Containers", "string", 1,
           [](const Json& o, Timestamp) -> Json {
             return JoinStrings(ArrayAt(o, {"spec", "template", "spec", "containers"}), "name");
           }},
          {"Images", "string", 1, [](const Json& o, Timestamp) -> Json {
             return JoinStrings(ArrayAt(o, {"spec", "template", "spec", "containers"}), "image");
           }}};
}

Cell Number(const char* parent, const char* field) {
  return [parent, field](const Json& object, Timestamp) -> Json { return IntegerAt(object, {parent, field}); };
}

std::vector<Column> DeploymentColumns() {
  return {{"Name", "string", 0, Name},
          {"Ready", "string", 0,
           [](const Json& o, Timestamp) -> Json {
             return fmt::format("{}/{}", IntegerAt(o, {"status", "readyReplicas"}), IntegerAt(o, {"spec", "replicas"}));
           }},
          {"Up-to-date", "string", 0, Number("status", "updatedReplicas")},
          {"Available", "string", 0, Number("status", "availableReplicas")},
          {"Age", "string", 0, Age}};
}

std::vector<Column> ReplicaSetColumns() {
  return {{"Name", "string", 0, Name},
          {"Desired", "integer", 0, Number("spec", "replicas")},
          {"Current", "integer", 0, Number("status", "replicas")},
          {"Ready", "integer", 0, Number("status", "readyReplicas")},
          {"Age", "string", 0, Age}};
}

Json JobStatus(const Json& object, Timestamp) {
  for (const Json& each : ArrayAt(object, {"status", "conditions"})) {
    if (TextAt(each, {"status"}) == "True") return TextAt(each, {"type"});
  }
  return BoolAt(object, {"spec", "suspend"}) ? "Suspended" : "Running";
}

std::vector<Column> JobColumns() {
  return {{"Name", "string", 0, Name},
          {"Status", "string", 0, JobStatus},
          {"Completions", "string", 0,
           [](const Json& o, Timestamp) -> Json {
             return fmt::format("{}/{}", IntegerAt(o, {"status", "succeeded"}), IntegerAt(o, {"spec", "completions"}));
           }},
          {"Age", "string", 0, Age}};
}

// "127.0.1.1:5432,127.0.1.2:5432"
Json EndpointAddresses(const Json& object, Timestamp) {
  std::string text;
  for (const Json& subset : ArrayAt(object, {"subsets"})) {
    for (const Json& port : ArrayAt(subset, {"ports"})) {
      for (const Json& address : ArrayAt(subset, {"addresses"})) {
        text += fmt::format("{}{}:{}", text.empty() ? "" : ",", TextAt(address, {"ip"}), IntegerAt(port, {"port"}));
      }
    }
  }
  return OrNone(text);
}

std::vector<Column> ServiceColumns() {
  return {{"Name", "string", 0, Name},
          {"Type", "string", 0, Text("spec", "type")},
          {"Cluster-IP", "string", 0, Text("spec", "clusterIP")},
          {"External-IP", "string", 0, [](const Json&, Timestamp) -> Json { return "<none>"; }},
          {"Port(s)", "string", 0, ServicePorts},
          {"Age", "string", 0, Age},
          {"Selector", "string", 1, [](const Json& o, Timestamp) -> Json {
             return SelectorText(ObjectAt(o, {"spec", "selector"}));
           }}};
}

std::vector<Column> ClaimColumns() {
  return {{"Name", "string", 0, Name},
          {"Status", "string", 0, ClaimStatus},
          {"Volume", "string", 0, Text("spec", "volumeName")},
          {"Capacity", "string", 0,
           [](const Json& o, Timestamp) -> Json {
             return TextAt(o, {"status", "capacity", "storage"});
           }},
          {"Access Modes", "string", 0, ClaimModes},
          {"StorageClass", "string", 0, Text("spec", "storageClassName")},
          {"Age", "string", 0, Age},
          {"VolumeMode", "string", 1, Text("spec", "volumeMode")}};
}

std::vector<Column> EventColumns() {
  return {{"Last Seen", "string", 0,
           [](const Json& o, Timestamp now) -> Json {
             std::string last = TextAt(o, {"lastTimestamp"});
             return AgeCell(last.empty() ? TextAt(o, {"eventTime"}) : last, now);
           }},
          {"Type", "string", 0, [](const Json& o, Timestamp) -> Json { return TextAt(o, {"type"}); }},
          {"Reason", "string", 0, [](const Json& o, Timestamp) -> Json { return TextAt(o, {"reason"}); }},
          {"Object", "string", 0, EventObject},
          {"Message", "string", 0, [](const Json& o, Timestamp) -> Json { return TextAt(o, {"message"}); }},
          {"Name", "string", 1, Name}};
}

std::vector<Column> BudgetColumns() {
  return {{"Name", "string", 0, Name},
          {"Min Available", "string", 0, NumberOrNotApplicable("minAvailable")},
          {"Max Unavailable", "string", 0, NumberOrNotApplicable("maxUnavailable")},
          {"Allowed Disruptions", "integer", 0,
           [](const Json& o, Timestamp) -> Json {
             return IntegerAt(o, {"status", "disruptionsAllowed"});
           }},
          {"Age", "string", 0, Age}};
}

const std::vector<Column>& ColumnsOf(const std::string& kind) {
  static const auto* columns = new std::map<std::string, std::vector<Column>>{
      {"Pod", PodColumns()},
      {"StatefulSet", StatefulSetColumns()},
      {"Deployment", DeploymentColumns()},
      {"ReplicaSet", ReplicaSetColumns()},
      {"Job", JobColumns()},
      {"Endpoints",
       {{"Name", "string", 0, Name}, {"Endpoints", "string", 0, EndpointAddresses}, {"Age", "string", 0, Age}}},
      {"Service", ServiceColumns()},
      {"PersistentVolumeClaim", ClaimColumns()},
      {"Event", EventColumns()},
      {"PodDisruptionBudget", BudgetColumns()},
      {"ConfigMap",
       {{"Name", "string", 0, Name},
        {"Data", "integer", 0, [](const Json& o, Timestamp) -> Json { return CountOf(o, {"data"}); }},
        {"Age", "string", 0, Age}}},
      {"Secret",
       {{"Name", "string", 0, Name},
        {"Type", "string", 0, [](const Json& o, Timestamp) -> Json { return TextAt(o, {"type"}); }},
        {"Data", "integer", 0, [](const Json& o, Timestamp) -> Json { return CountOf(o, {"data"}); }},
        {"Age", "string", 0, Age}}},
      {"ServiceAccount",
       {{"Name", "string", 0, Name},
        {"Secrets", "integer", 0, [](const Json& o, Timestamp) -> Json { return CountOf(o, {"secrets"}); }},
        {"Age", "string", 0, Age}}},
      {"Namespace",
       {{"Name", "string", 0, Name}, {"Status", "string", 0, Text("status", "phase")}, {"Age", "string", 0, Age}}},
      {"Lease",
       {{"Name", "string", 0, Name},
        {"Holder", "string", 0, Text("spec", "holderIdentity")},
        {"Age", "string", 0, Age}}},
      {"CustomResourceDefinition",
       {{"Name", "string", 0, Name}, {"Created At", "date", 0, Text("metadata", "creationTimestamp")}}},
  };
  static const std::vector<Column> kNameAndAge{{"Name", "string", 0, Name}, {"Age", "string", 0, Age}};
  auto found = columns->find(kind);
  return found == columns->end() ? kNameAndAge : found->second;
}

}  // namespace

std::vector<PrinterColumn> BuiltinColumns(const std::string& kind) {
  std::vector<PrinterColumn> columns;
  for (const Column& each : ColumnsOf(kind)) {
    std::string format = std::string(each.name) == "Name" ? "name" : "";
    columns.push_back({each.name, each.type, format, each.name, each.priority, ""});
  }
  return columns;
}

Json BuiltinCells(const std::string& kind, const Json& object, Timestamp now) {
  Json cells = Json::array();
  for (const Column& each : ColumnsOf(kind)) cells.push_back(each.cell(object, now));
  return cells;
}

}  // namespace holdfast::local
