// The fields of StorageMigration: the one place where names, types, bounds, defaults and rules are written.
#include "operator/api/v1/condition_fields.h"
#include "operator/api/v1/name_fields.h"
#include "operator/api/v1/storage_migration.h"

namespace holdfast::api {
namespace {

constexpr std::size_t kMaximumClusterName = 40;
constexpr std::size_t kMaximumStoreName = 63;
constexpr std::size_t kMaximumBackendName = 40;
constexpr std::int64_t kMaximumRate = 1'000'000'000;
constexpr std::int64_t kMaximumBatch = 2'000;

// What has been begun cannot be made into something else.
Rule IsImmutableRule() {
  return {.cel = "self.cluster == oldSelf.cluster && self.store == oldSelf.store && self.to == oldSelf.to",
          .message = "cluster, store and to cannot change: make another StorageMigration instead",
          .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
            std::vector<std::string> changed;
            for (const char* name : {"cluster", "store", "to"}) {
              if (self.at(name) != old->at(name)) changed.emplace_back(name);
            }
            return changed;
          },
          .transition = true};
}

Rule AbortIsForGoodRule() {
  return {.cel = "self.abort || !oldSelf.abort",
          .message = "abort cannot be taken back: make another StorageMigration instead",
          .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
            if (self.at("abort").get<bool>() || !old->at("abort").get<bool>()) return {};
            return {"abort"};
          },
          .transition = true,
          .field_path = ".abort"};
}

Field Spec() {
  return {
      .name = "spec",
      .description = "What should be done.",
      .required = true,
      .fields = {StorageNameField("cluster", "The StorageCluster, in the same namespace.", kMaximumClusterName),
                 StorageNameField("store",
                                  "The store that is moved; it is of one backend, without a cache and a secondary.",
                                  kMaximumStoreName),
                 StorageNameField(
                     "to",
                     "The backend of the cluster that it is moved to. No other store may use it, nor the one that the "
                     "store is in.",
                     kMaximumBackendName),
                 {.name = "cutOver",
                  .type = FieldType::kString,
                  .description = "Automatic: the former backend is given up when the comparison has found nothing "
                                 "different; if it has, that waits for Approved. Manual: reads are switched, and the "
                                 "rest waits until this says Automatic or Approved. Approved: whatever was found "
                                 "different, which has been copied again.",
                  .default_value = "Automatic",
                  .max_length = 16,
                  .choices = {"Automatic", "Manual", "Approved"}},
                 {.name = "keysPerSecond",
                  .type = FieldType::kInteger,
                  .description = "Keys copied or compared in a second at most; 0 = as many as it can. A change "
                                 "restarts the pods of the service.",
                  .default_value = 0,
                  .minimum = 0,
                  .maximum = kMaximumRate},
                 {.name = "keysAtOnce",
                  .type = FieldType::kInteger,
                  .description = "Keys copied or compared at once. A change restarts the pods of the service.",
                  .default_value = 200,
                  .minimum = 1,
                  .maximum = kMaximumBatch},
                 {.name = "abort",
                  .type = FieldType::kBoolean,
                  .description = "Undoes everything, as long as the store is not cut over; for good.",
                  .default_value = false},
                 {.name = "deadline",
                  .type = FieldType::kDuration,
                  .description = "How long it may take, from the object's creation and with all waiting; what is not "
                                 "cut over then is aborted.",
                  .default_value = "24h"}},
      .rules = {IsImmutableRule(), AbortIsForGoodRule()}};
}

Field StatusFields() {
  const auto text = [](const char* name, const char* description) {
    return Field{.name = name, .type = FieldType::kString, .description = description};
  };
  const auto number = [](const char* name, const char* description) {
    return Field{.name = name, .type = FieldType::kInteger, .description = description};
  };
  return {
      .name = "status",
      .description = "What is. Written by the operator only.",
      .fields = {
          number("observedGeneration", "The metadata.generation the rest of the status was found for."),
          text("from", "The backend that has, or had, the entries."),
          text("servicePhase",
               "What the service says: idle, dual_write, verifying, verified, reads_switched, cut_over "
               "or aborting (docs/store-migration.md)."),
          text("id", "The service's name of it, once it was started."),
          text("formerId", "The service's name of the one before; there from the moment it may have been started."),
          text("ending", "Why it is aborted, in one word; never taken back."),
          {.name = "cutOverTime",
           .type = FieldType::kTime,
           .description = "When the service was first seen cut over; from then on there is no way back."},
          number("total", "Keys that there were when it began, roughly."),
          number("copied", "Keys that were copied."),
          number("compared", "Keys that were compared behind that."),
          number("differences", "Keys that the comparison found different, and copied again."),
          ConditionFields("Progressing: what is being done; False: somebody has to act, or it is over. Complete: the "
                          "store is in its new backend. Failed: it is in its former backend, and stays there.")}};
}

}  // namespace

const Field& StorageMigrationFields() {
  static const Field root = {.description =
                                 "StorageMigration moves a store of a StorageCluster to another backend "
                                 "while it is read and written, once.",
                             .fields = {Spec(), StatusFields()}};
  return root;
}

}  // namespace holdfast::api
