#include "operator/api/v1/crd.h"

#include <cctype>
#include <utility>

#include "operator/api/v1/storage_backup.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/api/v1/storage_cluster_fields.h"
#include "operator/api/v1/storage_migration.h"
#include "operator/api/v1/storage_restore.h"

namespace holdfast::api {
namespace {

// Rules that follow from the table itself rather than from the meaning of the fields.
void AddDerivedRules(const Field& field, Json& rules) {
  for (const Field& member : field.fields) {
    if (member.later.empty()) continue;
    rules.push_back({{"rule", "!has(self." + member.name + ")"},
                     {"message", member.later},
                     {"fieldPath", "." + member.name},
                     {"reason", "FieldValueForbidden"}});
  }
  if (!field.exactly_one.empty()) {
    std::string present;
    for (const std::string& name : field.exactly_one)
      present += (present.empty() ? "has(self." : ", has(self.") + name + ")";
    rules.push_back({{"rule", "[" + present + "].exists_one(x, x)"}, {"message", ExactlyOneMessage(field)}});
  }
  if (!field.minimum_quantity.empty()) {
    rules.push_back({{"rule", "quantity(self).compareTo(quantity('" + field.minimum_quantity + "')) >= 0"},
                     {"message", "must be at least " + field.minimum_quantity}});
  }
  if (!field.maximum_quantity.empty()) {
    rules.push_back({{"rule", "quantity(self).compareTo(quantity('" + field.maximum_quantity + "')) <= 0"},
                     {"message", "must be at most " + field.maximum_quantity}});
  }
  if (field.type == FieldType::kDuration) {
    rules.push_back({{"rule", "self.matches('[1-9]')"}, {"message", "must be above zero"}});
  }
  if (!field.minimum_duration.empty()) {
    rules.push_back({{"rule", "self.contains('d') || duration(self) >= duration('" + field.minimum_duration + "')"},
                     {"message", "must be at least " + field.minimum_duration}});
  }
  if (!field.maximum_duration.empty()) {
    rules.push_back({{"rule", "!self.contains('d') && duration(self) <= duration('" + field.maximum_duration + "')"},
                     {"message", "must be at most " + field.maximum_duration}});
  }
}

Json Rules(const Field& field) {
  Json rules = Json::array();
  AddDerivedRules(field, rules);
  for (const Rule& rule : field.rules) {
    Json entry = {{"rule", rule.cel}, {"message", rule.message}};
    if (!rule.field_path.empty()) entry["fieldPath"] = rule.field_path;
    rules.push_back(std::move(entry));
  }
  return rules;
}

void AddObject(const Field& field, Json& schema) {
  schema["type"] = "object";
  if (!field.later.empty()) {
    // Kept as it was written, so that the rule of the parent can see and refuse it instead of pruning it away.
    schema["x-kubernetes-preserve-unknown-fields"] = true;
    return;
  }
  Json required = Json::array();
  for (const Field& member : field.fields) {
    schema["properties"][member.name] = ToOpenApiSchema(member);
    if (member.required) required.push_back(member.name);
  }
  if (!required.empty()) schema["required"] = std::move(required);
}

void AddList(const Field& field, Json& schema) {
  schema["type"] = "array";
  if (!field.later.empty()) {
    schema["items"] = {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
    return;
  }
  schema["items"] = ToOpenApiSchema(field.items.front());
  if (field.min_items != 0) schema["minItems"] = field.min_items;
  if (field.max_items != 0) schema["maxItems"] = field.max_items;
  if (!field.list_key.empty()) {
    schema["x-kubernetes-list-type"] = "map";
    schema["x-kubernetes-list-map-keys"] = Json::array({field.list_key});
  } else {
    schema["x-kubernetes-list-type"] = "atomic";
  }
}

void AddText(const Field& field, Json& schema) {
  schema["type"] = "string";
  if (field.max_length != 0) schema["maxLength"] = field.max_length;
  if (!field.choices.empty()) schema["enum"] = field.choices;
  if (!field.pattern.empty()) schema["pattern"] = field.pattern;
  if (field.type == FieldType::kBytes) {
    schema["pattern"] = kBytesPattern;
    schema["maxLength"] = 16;
  }
  if (field.type == FieldType::kDuration) {
    schema["pattern"] = kDurationPattern;
    schema["maxLength"] = 32;
  }
  if (field.type == FieldType::kTime) schema["format"] = "date-time";
}

Json PrinterColumn(const char* name, const char* type, const char* path, const char* description, int priority = 0) {
  Json column = {{"name", name}, {"type", type}, {"jsonPath", path}, {"description", description}};
  if (priority != 0) column["priority"] = priority;
  return column;
}

Json ClusterColumns() {
  return Json::array({
      PrinterColumn("Ready", "string", ".status.conditions[?(@.type==\"Ready\")].status", "Whether the API answers."),
      PrinterColumn("Reason", "string", ".status.conditions[?(@.type==\"Ready\")].reason",
                    "Why it is, or is not, ready."),
      PrinterColumn("Replicas", "integer", ".status.readyReplicas", "Pods of the state service that are ready."),
      PrinterColumn("Stores", "string", ".status.stores", "What the API serves."),
      PrinterColumn("Endpoint", "string", ".status.endpoint", "Where applications reach the API."),
      PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when it is there."),
      PrinterColumn("Message", "string", ".status.conditions[?(@.type==\"Ready\")].message",
                    "The reason in a sentence.", 1),
  });
}

constexpr char kComplete[] = ".status.conditions[?(@.type==\"Complete\")].status";
constexpr char kProgressReason[] = ".status.conditions[?(@.type==\"Progressing\")].reason";
constexpr char kProgressMessage[] = ".status.conditions[?(@.type==\"Progressing\")].message";

Json MigrationColumns() {
  return Json::array({
      PrinterColumn("Cluster", "string", ".spec.cluster", "The StorageCluster."),
      PrinterColumn("Store", "string", ".spec.store", "What is moved."),
      PrinterColumn("From", "string", ".status.from", "The backend that it leaves."),
      PrinterColumn("To", "string", ".spec.to", "The backend that it is moved to."),
      PrinterColumn("Complete", "string", kComplete, "Whether the store is in its new backend."),
      PrinterColumn("Reason", "string", kProgressReason, "What is being done, or waited for."),
      PrinterColumn("Copied", "integer", ".status.copied", "Keys that were copied."),
      PrinterColumn("Total", "integer", ".status.total", "Keys that there were when it began, roughly."),
      PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when it is there."),
      PrinterColumn("Message", "string", kProgressMessage, "The reason in a sentence.", 1),
  });
}

Json BackupColumns() {
  return Json::array({
      PrinterColumn("Cluster", "string", ".spec.cluster", "The StorageCluster."),
      PrinterColumn("Store", "string", ".spec.store", "What is backed up."),
      PrinterColumn("Phase", "string", ".status.phase", "How far it is."),
      PrinterColumn("Kind", "string", ".status.kind", "Full or Incremental, as it was made."),
      PrinterColumn("Entries", "integer", ".status.entries", "Entries of the store in it."),
      PrinterColumn("Bytes", "integer", ".status.bytes", "Its own size where it lies."),
      PrinterColumn("Verified", "date", ".status.verifiedAt", "When all of it had been read and compared."),
      PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when it is there."),
      PrinterColumn("ID", "string", ".status.id", "The service's name of the backup.", 1),
      PrinterColumn("Message", "string", ".status.message", "Why, in a sentence.", 1),
  });
}

Json RestoreColumns() {
  return Json::array({
      PrinterColumn("Cluster", "string", ".spec.cluster", "The StorageCluster."),
      PrinterColumn("Store", "string", ".spec.store", "What is restored."),
      PrinterColumn("Backup", "string", ".status.id", "The service's name of the backup."),
      PrinterColumn("To", "string", ".spec.toTime", "The time that the store is brought back to."),
      PrinterColumn("Phase", "string", ".status.phase", "How far it is."),
      PrinterColumn("Restored", "integer", ".status.restored", "Entries that the store holds of what was restored."),
      PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when it is there."),
      PrinterColumn("Message", "string", ".status.message", "Why, in a sentence.", 1),
  });
}

struct Kind {
  std::string kind;
  std::string short_name;
  const Field& fields;
  Json subresources;
  Json columns;
};

Json Definition(const Kind& kind) {
  Json root = ToOpenApiSchema(kind.fields);
  root["properties"]["apiVersion"] = {{"type", "string"}};
  root["properties"]["kind"] = {{"type", "string"}};
  root["properties"]["metadata"] = {{"type", "object"}};
  const Json version = {
      {"name", "v1"},
      {"served", true},
      {"storage", true},
      {"schema", {{"openAPIV3Schema", std::move(root)}}},
      {"subresources", kind.subresources},
      {"additionalPrinterColumns", kind.columns},
  };
  std::string singular = kind.kind;
  for (char& c : singular) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const std::string plural = singular + "s";
  return {{"apiVersion", "apiextensions.k8s.io/v1"},
          {"kind", "CustomResourceDefinition"},
          {"metadata", {{"name", plural + "." + kGroup}}},
          {"spec",
           {{"group", kGroup},
            {"scope", "Namespaced"},
            {"names",
             {{"kind", kind.kind},
              {"listKind", kind.kind + "List"},
              {"plural", plural},
              {"singular", singular},
              {"shortNames", Json::array({kind.short_name})},
              {"categories", {"holdfast"}}}},
            {"versions", Json::array({version})}}}};
}

}  // namespace

Json ToOpenApiSchema(const Field& field) {
  Json schema = Json::object();
  if (!field.description.empty()) schema["description"] = field.description;
  if (!field.default_value.is_null()) schema["default"] = field.default_value;
  switch (field.type) {
    case FieldType::kObject:
      AddObject(field, schema);
      break;
    case FieldType::kList:
      AddList(field, schema);
      break;
    case FieldType::kMap:
      schema["type"] = "object";
      schema["additionalProperties"] = ToOpenApiSchema(field.items.front());
      if (field.max_items != 0) schema["maxProperties"] = field.max_items;
      break;
    case FieldType::kInteger:
      schema["type"] = "integer";
      schema["format"] = "int64";
      if (field.minimum) schema["minimum"] = *field.minimum;
      if (field.maximum) schema["maximum"] = *field.maximum;
      break;
    case FieldType::kBoolean:
      schema["type"] = "boolean";
      break;
    case FieldType::kQuantity:
      schema["anyOf"] = Json::array({{{"type", "integer"}}, {{"type", "string"}}});
      schema["x-kubernetes-int-or-string"] = true;
      schema["pattern"] = kQuantityPattern;
      schema["minimum"] = 0;
      break;
    case FieldType::kString:
    case FieldType::kBytes:
    case FieldType::kDuration:
    case FieldType::kTime:
      AddText(field, schema);
      break;
  }
  Json rules = Rules(field);
  if (!rules.empty()) schema["x-kubernetes-validations"] = std::move(rules);
  return schema;
}

Json StorageClusterDefinition() {
  return Definition({.kind = "StorageCluster",
                     .short_name = "stc",
                     .fields = StorageClusterFields(),
                     .subresources = {{"status", Json::object()},
                                      {"scale",
                                       {{"specReplicasPath", ".spec.service.replicas"},
                                        {"statusReplicasPath", ".status.replicas"},
                                        {"labelSelectorPath", ".status.selector"}}}},
                     .columns = ClusterColumns()});
}

Json StorageMigrationDefinition() {
  return Definition({.kind = kStorageMigrationKind,
                     .short_name = "stm",
                     .fields = StorageMigrationFields(),
                     .subresources = {{"status", Json::object()}},
                     .columns = MigrationColumns()});
}

Json StorageBackupDefinition() {
  return Definition({.kind = kStorageBackupKind,
                     .short_name = "stb",
                     .fields = StorageBackupFields(),
                     .subresources = {{"status", Json::object()}},
                     .columns = BackupColumns()});
}

Json StorageRestoreDefinition() {
  return Definition({.kind = kStorageRestoreKind,
                     .short_name = "str",
                     .fields = StorageRestoreFields(),
                     .subresources = {{"status", Json::object()}},
                     .columns = RestoreColumns()});
}

std::vector<Json> Definitions() {
  return {StorageClusterDefinition(), StorageMigrationDefinition(), StorageBackupDefinition(),
          StorageRestoreDefinition()};
}

}  // namespace holdfast::api
