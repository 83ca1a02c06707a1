#include "operator/api/v1/storage_migration.h"

#include <utility>

#include "base/time/duration.h"
#include "operator/api/v1/custom_object.h"

namespace holdfast::api {
namespace {

constexpr std::chrono::hours kDefaultDeadline{24};

CutOver CutOverFrom(const std::string& text) {
  if (text == "Manual") return CutOver::kManual;
  return text == "Approved" ? CutOver::kApproved : CutOver::kAutomatic;
}

StorageMigrationSpec ReadSpec(const Json& object) {
  const auto deadline = ParseDuration(TextOf(object, "deadline"));
  return {.cluster = TextOf(object, "cluster"),
          .store = TextOf(object, "store"),
          .to = TextOf(object, "to"),
          .keys_per_second = NumberOf(object, "keysPerSecond"),
          .keys_at_once = NumberOf(object, "keysAtOnce"),
          .cut_over = CutOverFrom(TextOf(object, "cutOver")),
          .abort = object.at("abort").get<bool>(),
          .deadline = deadline.ok() ? *deadline : kDefaultDeadline};
}

StorageMigrationStatus ReadStatus(const Json& object) {
  StorageMigrationStatus status;
  if (!object.is_object()) return status;
  status.observed_generation = NumberOf(object, "observedGeneration");
  status.from = TextOf(object, "from");
  if (object.contains("formerId")) status.former_id = TextOf(object, "formerId");
  status.id = TextOf(object, "id");
  status.service_phase = TextOf(object, "servicePhase");
  status.ending = TextOf(object, "ending");
  status.cut_over_time = TimeOf(object, "cutOverTime");
  status.total = NumberOf(object, "total");
  status.copied = NumberOf(object, "copied");
  status.compared = NumberOf(object, "compared");
  status.differences = NumberOf(object, "differences");
  status.conditions = ConditionsFromJson(object.value("conditions", Json::array()));
  return status;
}

}  // namespace

ParsedStorageMigration ParseStorageMigration(const Json& object, const Json* old) {
  ParsedStorageMigration parsed;
  const Json spec = CheckedSpec(StorageMigrationFields(), kStorageMigrationKind, object, old, &parsed.errors);
  if (!parsed.errors.empty()) return parsed;
  ObjectMetadata metadata = MetadataOf(object);
  StorageMigration migration;
  migration.ns = std::move(metadata.ns);
  migration.name = std::move(metadata.name);
  migration.uid = std::move(metadata.uid);
  migration.generation = metadata.generation;
  migration.created = metadata.created;
  migration.being_deleted = metadata.being_deleted;
  migration.spec = ReadSpec(spec);
  migration.status = ReadStatus(object.value("status", Json::object()));
  parsed.migration = std::move(migration);
  return parsed;
}

Json StatusToJson(const StorageMigrationStatus& status) {
  Json document = {{"observedGeneration", status.observed_generation},
                   {"conditions", ConditionsToJson(status.conditions)}};
  PutText("from", status.from, &document);
  PutText("servicePhase", status.service_phase, &document);
  PutText("id", status.id, &document);
  PutText("ending", status.ending, &document);
  if (status.former_id) document["formerId"] = *status.former_id;
  PutTime("cutOverTime", status.cut_over_time, &document);
  if (status.service_phase.empty()) return document;
  document["total"] = status.total;
  document["copied"] = status.copied;
  document["compared"] = status.compared;
  document["differences"] = status.differences;
  return document;
}

}  // namespace holdfast::api
