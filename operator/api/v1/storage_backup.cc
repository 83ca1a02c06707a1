#include "operator/api/v1/storage_backup.h"

#include <utility>

#include "base/time/duration.h"

namespace holdfast::api {
namespace {

constexpr std::chrono::hours kDefaultDeadline{2};

StorageBackupSpec ReadSpec(const Json& object) {
  const auto deadline = ParseDuration(TextOf(object, "deadline"));
  return {.cluster = TextOf(object, "cluster"),
          .store = TextOf(object, "store"),
          .incremental = TextOf(object, "kind") == "Incremental",
          .drill = object.at("drill").get<bool>(),
          .deadline = deadline.ok() ? *deadline : kDefaultDeadline};
}

StorageBackupStatus ReadStatus(const Json& object) {
  StorageBackupStatus status;
  if (!object.is_object()) return status;
  status.observed_generation = NumberOf(object, "observedGeneration");
  status.phase = TextOf(object, "phase");
  status.message = TextOf(object, "message");
  status.id = TextOf(object, "id");
  status.run = TextOf(object, "run");
  status.pod = TextOf(object, "pod");
  status.kind = TextOf(object, "kind");
  status.parent = TextOf(object, "parent");
  status.entries = NumberOf(object, "entries");
  status.bytes = NumberOf(object, "bytes");
  status.started = TimeOf(object, "startedAt");
  status.completed = TimeOf(object, "completedAt");
  status.verified = TimeOf(object, "verifiedAt");
  status.drilled = TimeOf(object, "drilledAt");
  status.conditions = ConditionsFromJson(object.value("conditions", Json::array()));
  return status;
}

}  // namespace

ParsedStorageBackup ParseStorageBackup(const Json& object, const Json* old) {
  ParsedStorageBackup parsed;
  const Json spec = CheckedSpec(StorageBackupFields(), kStorageBackupKind, object, old, &parsed.errors);
  if (!parsed.errors.empty()) return parsed;
  parsed.backup = StorageBackup{.metadata = MetadataOf(object),
                                .spec = ReadSpec(spec),
                                .status = ReadStatus(object.value("status", Json::object()))};
  return parsed;
}

Json StatusToJson(const StorageBackupStatus& status) {
  Json document = {{"observedGeneration", status.observed_generation},
                   {"conditions", ConditionsToJson(status.conditions)}};
  PutText("phase", status.phase, &document);
  PutText("message", status.message, &document);
  PutText("id", status.id, &document);
  PutText("run", status.run, &document);
  PutText("pod", status.pod, &document);
  PutText("kind", status.kind, &document);
  PutText("parent", status.parent, &document);
  PutTime("startedAt", status.started, &document);
  PutTime("completedAt", status.completed, &document);
  PutTime("verifiedAt", status.verified, &document);
  PutTime("drilledAt", status.drilled, &document);
  if (status.kind.empty()) return document;
  document["entries"] = status.entries;
  document["bytes"] = status.bytes;
  return document;
}

}  // namespace holdfast::api
