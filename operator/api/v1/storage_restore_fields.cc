// The fields of StorageRestore: the one place where names, types, bounds, defaults and rules are written.
#include "operator/api/v1/condition_fields.h"
#include "operator/api/v1/run_fields.h"
#include "operator/api/v1/storage_restore.h"

namespace holdfast::api {
namespace {

Field Spec() {
  return {.name = "spec",
          .description = "What should be done. Cannot change.",
          .required = true,
          .fields = {RunClusterField(),
                     RunStoreField("The store that is restored."),
                     {.name = "backup",
                      .type = FieldType::kString,
                      .description = "A StorageBackup in the same namespace that has succeeded.",
                      .max_length = 253,
                      .pattern = kObjectNamePattern,
                      .pattern_words = "the name of a StorageBackup"},
                     {.name = "backupId",
                      .type = FieldType::kString,
                      .description = "Or the service's name of a backup of the store, as `holdfast backup list` prints "
                                     "it.",
                      .max_length = 63,
                      .pattern = "^[-a-z0-9]+$",
                      .pattern_words = "lower-case letters, digits and dashes"},
                     {.name = "toTime",
                      .type = FieldType::kTime,
                      .description =
                          "Or a time: everything that was acknowledged up to then is there, and nothing that was asked "
                          "for later. Of a store with changeArchive; by the newest backup of before, and the changes "
                          "since.",
                      .max_length = 64},
                     {.name = "sourceStore",
                      .type = FieldType::kString,
                      .description =
                          "The name that the store has in another StorageCluster, whose backups lie where "
                          "spec.backups.source of this one says: backup, backupId and toTime then mean those. When "
                          "absent they mean this cluster's own of `store`.",
                      .max_length = 63,
                      .pattern = kStorageNamePattern,
                      .pattern_words = kStorageNameWords},
                     RunDeadlineField("How long it may take, from the object's creation and with all waiting. What has "
                                      "not begun by then is never begun.")},
          .exactly_one = {"backup", "backupId", "toTime"},
          .rules = {RunIsImmutableRule(
              "StorageRestore", {"cluster", "store", "backup", "backupId", "toTime", "sourceStore", "deadline"})}};
}

Field StatusFields() {
  return {
      .name = "status",
      .description = "What is. Written by the operator only.",
      .fields = {
          RunNumber("observedGeneration", "The metadata.generation the rest of the status was found for."),
          RunText("phase", "Pending, Running, Succeeded or Failed."),
          RunText("message", "Why, in a sentence for people."),
          RunText("id", "The service's name of the backup; with toTime of the one that it has begun with."),
          RunTime("startedAt",
                  "When the service was told; there from the moment it may have been, and then it is never "
                  "told again."),
          RunText("run", "The service's run."), RunText("pod", "The pod that it runs in."),
          RunTime("completedAt", "When the service was seen to be done."),
          RunNumber("restored", "Entries that the store holds of what was restored."),
          RunNumber("written", "Those that were different or missing before."),
          RunNumber("deleted", "Entries that were not in it, and that were removed."),
          RunNumber("expired", "Entries of it whose time was over."),
          RunText("undo", "The checkpoint with what the store held before: `holdfast checkpoint restore ID`."),
          ConditionFields("Progressing: what is being done; False: somebody has to act, or it is over. Complete: the "
                          "store holds what was to be restored. Failed: the service has not said that it does; with "
                          "reason OutcomeUnknown nobody knows.")}};
}

}  // namespace

const Field& StorageRestoreFields() {
  static const Field root = {
      .description =
          "StorageRestore makes one store of a StorageCluster what one of its backups holds, or what it was at a time, "
          "once.",
      .fields = {Spec(), StatusFields()}};
  return root;
}

}  // namespace holdfast::api
