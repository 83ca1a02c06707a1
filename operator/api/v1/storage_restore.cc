#include "operator/api/v1/storage_restore.h"

#include <utility>

#include "base/time/duration.h"

namespace holdfast::api {
namespace {

constexpr std::chrono::hours kDefaultDeadline{2};

StorageRestoreSpec ReadSpec(const Json& object) {
  const auto deadline = ParseDuration(TextOf(object, "deadline"));
  return {.cluster = TextOf(object, "cluster"),
          .store = TextOf(object, "store"),
          .backup = TextOf(object, "backup"),
          .id = TextOf(object, "backupId"),
          .to = TimeOf(object, "toTime"),
          .source_store = TextOf(object, "sourceStore"),
          .deadline = deadline.ok() ? *deadline : kDefaultDeadline};
}

StorageRestoreStatus ReadStatus(const Json& object) {
  StorageRestoreStatus status;
  if (!object.is_object()) return status;
  status.observed_generation = NumberOf(object, "observedGeneration");
  status.phase = TextOf(object, "phase");
  status.message = TextOf(object, "message");
  status.id = TextOf(object, "id");
  status.started = TimeOf(object, "startedAt");
  status.run = TextOf(object, "run");
  status.pod = TextOf(object, "pod");
  status.completed = TimeOf(object, "completedAt");
  status.restored = NumberOf(object, "restored");
  status.written = NumberOf(object, "written");
  status.deleted = NumberOf(object, "deleted");
  status.expired = NumberOf(object, "expired");
  status.undo = TextOf(object, "undo");
  status.conditions = ConditionsFromJson(object.value("conditions", Json::array()));
  return status;
}

}  // namespace

ParsedStorageRestore ParseStorageRestore(const Json& object, const Json* old) {
  ParsedStorageRestore parsed;
  const Json spec = CheckedSpec(StorageRestoreFields(), kStorageRestoreKind, object, old, &parsed.errors);
  if (!parsed.errors.empty()) return parsed;
  parsed.restore = StorageRestore{.metadata = MetadataOf(object),
                                  .spec = ReadSpec(spec),
                                  .status = ReadStatus(object.value("status", Json::object()))};
  return parsed;
}

Json StatusToJson(const StorageRestoreStatus& status) {
  Json document = {{"observedGeneration", status.observed_generation},
                   {"conditions", ConditionsToJson(status.conditions)}};
  PutText("phase", status.phase, &document);
  PutText("message", status.message, &document);
  PutText("id", status.id, &document);
  PutTime("startedAt", status.started, &document);
  PutText("run", status.run, &document);
  PutText("pod", status.pod, &document);
  PutTime("completedAt", status.completed, &document);
  PutText("undo", status.undo, &document);
  if (!status.completed) return document;
  document["restored"] = status.restored;
  document["written"] = status.written;
  document["deleted"] = status.deleted;
  document["expired"] = status.expired;
  return document;
}

}  // namespace holdfast::api
