// The fields of StorageBackup: the one place where names, types, bounds, defaults and rules are written.
#include "operator/api/v1/condition_fields.h"
#include "operator/api/v1/run_fields.h"
#include "operator/api/v1/storage_backup.h"

namespace holdfast::api {
namespace {

Field Spec() {
  return {.name = "spec",
          .description = "What should be done. Cannot change.",
          .required = true,
          .fields = {RunClusterField(), RunStoreField("The store that is backed up."), BackupKindField(),
                     BackupDrillField(),
                     RunDeadlineField("How long it may take, from the object's creation and with all waiting; what is "
                                      "not done then has failed.")},
          .rules = {RunIsImmutableRule(kStorageBackupKind, {"cluster", "store", "kind", "drill", "deadline"})}};
}

Field StatusFields() {
  return {
      .name = "status",
      .description = "What is. Written by the operator only.",
      .fields = {
          RunNumber("observedGeneration", "The metadata.generation the rest of the status was found for."),
          RunText("phase", "Pending, Running, Verifying, Succeeded or Failed."),
          RunText("message", "Why, in a sentence for people."),
          RunText("id",
                  "The service's name of the backup: `holdfast backup restore ID`. Made from the object's name "
                  "and uid, so that whoever asks again asks for the same one."),
          RunText("run", "The service's run that was begun last."), RunText("pod", "The pod that it runs in."),
          RunText("kind", "Full or Incremental, as it was made."),
          RunText("parent", "The backup that an incremental one builds on, without which it cannot be restored."),
          RunNumber("entries", "Entries of the store in it."), RunNumber("bytes", "Its own size where it lies."),
          RunTime("startedAt", "When the service was first asked."), RunTime("completedAt", "When it was whole."),
          RunTime("verifiedAt", "When all of it had been read and compared."),
          RunTime("drilledAt", "When it had been restored beside the store and compared."),
          ConditionFields("Progressing: what is being done; False: somebody has to act, or it is over. Complete: there "
                          "is a backup that was verified, and drilled when that was asked for. Failed: nobody should "
                          "count on there being one.")}};
}

}  // namespace

const Field& StorageBackupFields() {
  static const Field root = {.description = "StorageBackup is one backup of one store of a StorageCluster.",
                             .fields = {Spec(), StatusFields()}};
  return root;
}

}  // namespace holdfast::api
