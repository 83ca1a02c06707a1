#include "operator/api/v1/storage_migration.h"

#include "base/time/duration.h"
#include "operator/api/v1/storage_cluster.h"

namespace holdfast::api {
namespace {

constexpr std::chrono::hours kDefaultDeadline{24};

std::string Text(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

std::int64_t Number(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_number_integer() ? member->get<std::int64_t>() : 0;
}

std::optional<Timestamp> Time(const Json& object, const char* name) {
  const auto time = ParseTimestamp(Text(object, name));
  return time.ok() ? std::optional(*time) : std::nullopt;
}

// The spec, with its defaults.
Json Described(const Json& object) {
  Json described = Json::object();
  if (object.contains("spec")) described["spec"] = object.at("spec");
  ApplyDefaults(StorageMigrationFields(), described);
  return described;
}

CutOver CutOverFrom(const std::string& text) {
  if (text == "Manual") return CutOver::kManual;
  return text == "Approved" ? CutOver::kApproved : CutOver::kAutomatic;
}

StorageMigrationSpec ReadSpec(const Json& object) {
  const auto deadline = ParseDuration(Text(object, "deadline"));
  return {.cluster = Text(object, "cluster"),
          .store = Text(object, "store"),
          .to = Text(object, "to"),
          .keys_per_second = Number(object, "keysPerSecond"),
          .keys_at_once = Number(object, "keysAtOnce"),
          .cut_over = CutOverFrom(Text(object, "cutOver")),
          .abort = object.at("abort").get<bool>(),
          .deadline = deadline.ok() ? *deadline : kDefaultDeadline};
}

StorageMigrationStatus ReadStatus(const Json& object) {
  StorageMigrationStatus status;
  if (!object.is_object()) return status;
  status.observed_generation = Number(object, "observedGeneration");
  status.from = Text(object, "from");
  if (object.contains("formerId")) status.former_id = Text(object, "formerId");
  status.id = Text(object, "id");
  status.service_phase = Text(object, "servicePhase");
  status.ending = Text(object, "ending");
  status.cut_over_time = Time(object, "cutOverTime");
  status.total = Number(object, "total");
  status.copied = Number(object, "copied");
  status.compared = Number(object, "compared");
  status.differences = Number(object, "differences");
  status.conditions = ConditionsFromJson(object.value("conditions", Json::array()));
  return status;
}

}  // namespace

ParsedStorageMigration ParseStorageMigration(const Json& object, const Json* old) {
  ParsedStorageMigration parsed;
  if (!object.is_object()) {
    parsed.errors.push_back({"", "must be an object, not " + std::string(object.type_name())});
    return parsed;
  }
  if (Text(object, "apiVersion") != kApiVersion) {
    parsed.errors.push_back({"apiVersion", "must be " + std::string(kApiVersion)});
  }
  if (Text(object, "kind") != kStorageMigrationKind) {
    parsed.errors.push_back({"kind", "must be " + std::string(kStorageMigrationKind)});
  }
  if (!parsed.errors.empty()) return parsed;
  const Json described = Described(object);
  Json former;
  const bool compares = old != nullptr && old->is_object();
  if (compares) former = Described(*old);
  Validate(StorageMigrationFields(), described, compares ? &former : nullptr, "", &parsed.errors);
  if (!parsed.errors.empty()) return parsed;

  const Json metadata = object.value("metadata", Json::object());
  StorageMigration migration;
  migration.ns = Text(metadata, "namespace");
  migration.name = Text(metadata, "name");
  migration.uid = Text(metadata, "uid");
  migration.generation = Number(metadata, "generation");
  migration.created = Time(metadata, "creationTimestamp").value_or(Timestamp{});
  migration.being_deleted = metadata.contains("deletionTimestamp");
  migration.spec = ReadSpec(described.at("spec"));
  migration.status = ReadStatus(object.value("status", Json::object()));
  parsed.migration = std::move(migration);
  return parsed;
}

Json StatusToJson(const StorageMigrationStatus& status) {
  Json document = {{"observedGeneration", status.observed_generation},
                   {"conditions", ConditionsToJson(status.conditions)}};
  const auto add = [&](const char* name, const std::string& text) {
    if (!text.empty()) document[name] = text;
  };
  add("from", status.from);
  add("servicePhase", status.service_phase);
  add("id", status.id);
  add("ending", status.ending);
  if (status.former_id) document["formerId"] = *status.former_id;
  if (status.cut_over_time) document["cutOverTime"] = FormatTimestamp(*status.cut_over_time);
  if (status.service_phase.empty()) return document;
  document["total"] = status.total;
  document["copied"] = status.copied;
  document["compared"] = status.compared;
  document["differences"] = status.differences;
  return document;
}

}  // namespace holdfast::api
