#include "operator/api/v1/postgres_fields.h"

#include "operator/api/v1/postgres_backup_fields.h"
#include "operator/api/v1/postgres_rules.h"
#include "operator/api/v1/storage_cluster_rules.h"

namespace holdfast::api {
namespace {

Field Synchronous() {
  return {.name = "synchronous",
          .description = "How many instances have a write on disk before it is acknowledged.",
          .fields = {{.name = "standbys",
                      .type = FieldType::kInteger,
                      .description = "Beside the primary; below instances. 0 acknowledges what a failover may lose. "
                                     "Without the field synchronous: 1, or 0 with one instance.",
                      .default_value = 1,
                      .minimum = 0,
                      .maximum = 8}}};
}

Field Pooler() {
  return {.name = "pooler",
          .description = "PgBouncer between the state service and the primary.",
          .fields = {{.name = "instances",
                      .type = FieldType::kInteger,
                      .description = "How many pods; 0 connects the service to the primary itself.",
                      .default_value = kDefaultPoolerInstances,
                      .minimum = 0,
                      .maximum = 16},
                     {.name = "mode",
                      .type = FieldType::kString,
                      .description = "How long a client keeps its connection to the server.",
                      .default_value = "transaction",
                      .max_length = 16,
                      .choices = {"transaction", "session"}}}};
}

Field Parameters() {
  Field value = {.type = FieldType::kString,
                 .description = "The value, as postgresql.conf takes it without quotes.",
                 .max_length = 64,
                 .pattern = "^[A-Za-z0-9_.]+([ ]?[A-Za-z0-9_.%]+)*$",
                 .pattern_words = "a number with or without a unit, or a word"};
  std::string names;
  for (const std::string& name : AllowedPostgresParameters()) {
    names.append(names.empty() ? "" : ", ").append(name);
  }
  return {.name = "parameters",
          .type = FieldType::kMap,
          .description =
              std::string("Parameters of the server, such as shared_buffers: 1GB. Allowed are: ").append(names) + ".",
          .max_items = 64,
          .items = {std::move(value)},
          .rules = {AllowedParametersRule()}};
}

Field ExternalFields() {
  Field reference =
      KeyReference("urlSecretRef",
                   "The Secret, in the cluster's own namespace, that holds the url of the server: "
                   "postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full. Past a pooler. Pods mount it; "
                   "the operator does not read it, so a change of it is noticed when pods start.",
                   "Secret");
  reference.required = true;
  return {.name = "external",
          .description = "PostgreSQL that somebody else runs. Only its schema is looked after.",
          .fields = {std::move(reference)}};
}

Field AutogrowFields(std::string description) {
  return {.name = "autogrow",
          .description = std::move(description),
          .fields = {{.name = "threshold",
                      .type = FieldType::kInteger,
                      .description = "Grow when more than so many percent of the file system are in use.",
                      .default_value = 80,
                      .minimum = 50,
                      .maximum = 95},
                     {.name = "maxSize",
                      .type = FieldType::kBytes,
                      .description = "Never beyond this size, whatever the file system holds.",
                      .required = true,
                      .minimum_quantity = "64Mi",
                      .maximum_quantity = "64Ti"},
                     {.name = "increment",
                      .type = FieldType::kBytes,
                      .description = "By how much it grows at least; a quarter of the present size when absent.",
                      .minimum_quantity = "64Mi",
                      .maximum_quantity = "64Ti"},
                     {.name = "interval",
                      .type = FieldType::kDuration,
                      .description = "At least so long between two growths. Some providers of volumes allow one change "
                                     "in six hours.",
                      .default_value = "10m"}}};
}

}  // namespace

Field Later(std::string name, FieldType type, std::string description, const std::string& remedy) {
  const std::string refusal = name + " is not supported by this release; " + remedy;
  return {.name = std::move(name),
          .type = type,
          .description = "Not supported by this release, and refused. " + std::move(description),
          .later = refusal};
}

Field KeyReference(std::string name, std::string description, const std::string& kind) {
  const auto text = [](const char* of, std::string says, const char* pattern, std::string words) {
    return Field{.name = of,
                 .type = FieldType::kString,
                 .description = std::move(says),
                 .required = true,
                 .max_length = 253,
                 .pattern = pattern,
                 .pattern_words = std::move(words)};
  };
  return {.name = std::move(name),
          .description = std::move(description),
          .fields = {text("name", "The name of the " + kind + ".", kObjectNamePattern, "the name of a " + kind),
                     text("key", "The key in it.", kKeyPattern, "letters, digits, dashes, dots and underscores")}};
}

Field StorageFields(std::string description, std::string size_description, std::string autogrow_description) {
  Field storage = {
      .name = "storage",
      .description = std::move(description),
      .fields = {{.name = "size",
                  .type = FieldType::kBytes,
                  .description = std::move(size_description),
                  .required = true,
                  .minimum_quantity = "64Mi",
                  .maximum_quantity = "64Ti"},
                 {.name = "storageClassName",
                  .type = FieldType::kString,
                  .description = "The StorageClass of the volume; the cluster's default class when absent. Cannot "
                                 "change.",
                  .max_length = 253,
                  .pattern = kObjectNamePattern,
                  .pattern_words = "the name of a StorageClass"}},
      .rules = {StorageOnlyGrowsRule(), StorageClassIsImmutableRule()},
  };
  if (!autogrow_description.empty()) {
    storage.fields.push_back(AutogrowFields(std::move(autogrow_description)));
    storage.rules.push_back(AutogrowHasRoomRule());
  }
  return storage;
}

Field ResourceAmounts(std::string name, std::string description) {
  return {.name = std::move(name),
          .description = std::move(description),
          .fields = {{.name = "cpu", .type = FieldType::kQuantity, .description = "Cores, such as 500m or 2."},
                     {.name = "memory", .type = FieldType::kQuantity, .description = "Bytes, such as 512Mi."}}};
}

Field CompressionField(std::string description, std::vector<std::string> choices) {
  return {.name = "compression",
          .type = FieldType::kString,
          .description = std::move(description),
          .max_length = 16,
          .choices = std::move(choices)};
}

Field PostgresFields() {
  const Field storage =
      StorageFields("The persistent volume of each instance.",
                    "How large the volume of each instance is, such as 20Gi. Can grow, when the storage "
                    "class allows it, also while the disk is full; never shrink.",
                    "Lets the volume of each instance grow by itself when it fills, for a storage class "
                    "that allows expansion. A small container beside the server tells how full it is, so "
                    "that giving or removing this field replaces the instances, one after the other.");
  return {.name = "postgres",
          .description = "PostgreSQL, provisioned with high availability by Patroni, or external.",
          .fields = {{.name = "instances",
                      .type = FieldType::kInteger,
                      .description = "Servers, one of which is the primary; 3 when absent.",
                      .minimum = 1,
                      .maximum = 9},
                     {.name = "version",
                      .type = FieldType::kString,
                      .description = "The major version; 15 when absent.",
                      .max_length = 8,
                      .choices = {kDefaultPostgresVersion}},
                     storage,
                     Synchronous(),
                     Pooler(),
                     Parameters(),
                     {.name = "resources",
                      .description = "What each instance asks of its node; 250m and 512Mi are requested when absent.",
                      .fields = {ResourceAmounts("requests", "What is set aside for the pod."),
                                 ResourceAmounts("limits", "What the pod may not exceed.")}},
                     PostgresBackupFields(),
                     PostgresRestoreFields(),
                     CompressionField("How PostgreSQL, also an external one, compresses large values that are "
                                      "written from now on: pglz or lz4, or none, which leaves them as they are; "
                                      "as the server does by itself when absent. What is stored stays as it is "
                                      "until it is written again.",
                                      {"none", "pglz", "lz4"}),
                     ExternalFields()},
          .exactly_one = {"storage", "external"},
          .rules = {StandbysBelowInstancesRule(), RestoreOnlyAtCreationRule(),
                    ExternalStandsAloneRule({"instances", "version", "synchronous", "pooler", "parameters", "resources",
                                             "backup", "restoreFrom"})}};
}

}  // namespace holdfast::api
