#include "operator/api/v1/run_fields.h"

#include <utility>

#include "operator/api/v1/name_fields.h"

namespace holdfast::api {
namespace {

constexpr std::size_t kMaximumClusterName = 40;
constexpr std::size_t kMaximumStoreName = 63;

}  // namespace

Field RunClusterField() {
  return StorageNameField("cluster", "The StorageCluster, in the same namespace.", kMaximumClusterName);
}

Field RunStoreField(std::string description) {
  return StorageNameField("store", std::move(description), kMaximumStoreName);
}

Field RunDeadlineField(std::string description) {
  return {.name = "deadline",
          .type = FieldType::kDuration,
          .description = std::move(description),
          .default_value = "2h",
          .minimum_duration = "10s"};
}

Field BackupKindField() {
  return {.name = "kind",
          .type = FieldType::kString,
          .description =
              "Full: everything. Incremental: what has changed since the newest verified backup "
              "of the store; where there is none to build on, everything.",
          .default_value = "Full",
          .max_length = 16,
          .choices = {"Full", "Incremental"}};
}

Field BackupDrillField() {
  return {.name = "drill",
          .type = FieldType::kBoolean,
          .description =
              "Restore it beside the store as well, and compare what came of it; only then it "
              "has succeeded. It is read again and compared in any case.",
          .default_value = false};
}

Rule RunIsImmutableRule(const std::string& kind, std::vector<std::string> members) {
  return {.cel = "self == oldSelf",
          .message = "it is done once, and cannot change: make another " + kind + " instead",
          .broken_at =
              [members = std::move(members)](const Json& self, const Json* old) {
                std::vector<std::string> changed;
                for (const std::string& name : members) {
                  if (self.value(name, Json()) != old->value(name, Json())) changed.push_back(name);
                }
                return changed;
              },
          .transition = true};
}

Field RunText(const char* name, const char* description) {
  return {.name = name, .type = FieldType::kString, .description = description};
}

Field RunNumber(const char* name, const char* description) {
  return {.name = name, .type = FieldType::kInteger, .description = description};
}

Field RunTime(const char* name, const char* description) {
  return {.name = name, .type = FieldType::kTime, .description = description};
}

}  // namespace holdfast::api
