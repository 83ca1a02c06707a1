#include "operator/api/v1/postgres_backup_fields.h"

#include <utility>

#include "base/time/duration.h"
#include "operator/api/v1/cron_fields.h"
#include "operator/api/v1/postgres_fields.h"
#include "operator/api/v1/s3_repository_fields.h"

namespace holdfast::api {
namespace {

constexpr char kPassphraseReference[] = "passphraseSecretRef";

Field Schedules() {
  return {.name = "schedule",
          .description = "When backups begin, each once for a tick: one that was missed is made up for, once.",
          .default_value = Json::object(),
          .fields = {CronField("full", "Of full backups, in cron's words.", "30 1 * * 0"),
                     CronField("differential",
                               "Of differential backups, which hold what has changed since the last full one."),
                     TimeZoneField()}};
}

Field Retention() {
  return {.name = "retention",
          .description = "How many backups are kept, each with what of the archive it needs.",
          .default_value = Json::object(),
          .fields = {{.name = "full",
                      .type = FieldType::kInteger,
                      .description = "Full backups. Nothing from before the oldest can be restored.",
                      .default_value = 2,
                      .minimum = 1,
                      .maximum = 1000},
                     {.name = "differential",
                      .type = FieldType::kInteger,
                      .description = "Differential backups; as many as full ones need when absent.",
                      .minimum = 1,
                      .maximum = 1000}}};
}

Field Passphrase(const char* description) {
  return KeyReference(kPassphraseReference, description, "Secret");
}

std::optional<SecretKey> ReadPassphrase(const Json& object) {
  if (!object.contains(kPassphraseReference)) return std::nullopt;
  const Json& reference = object.at(kPassphraseReference);
  return SecretKey{reference.at("name").get<std::string>(), reference.at("key").get<std::string>()};
}

}  // namespace

Field PostgresBackupFields() {
  Field storage = StorageFields(
      "The persistent volume of the repository, which a pod of its own has. It stays with "
      "the other volumes when the cluster is deleted, unless terminationPolicy is Delete.",
      "How large the volume is: room for retention.full + 1 full backups and the archive "
      "between them. Can grow, never shrink.",
      "");
  return {
      .name = "backup",
      .description =
          "Backups and an archive of the write-ahead log, by pgBackRest, for restoring to any time since the oldest "
          "of them. Giving or removing this field replaces the instances, one after the other: each has a small "
          "container beside the server, from which backups are taken.",
      .fields = {std::move(storage),
                 S3RepositoryFields("The repository in an S3-compatible object store instead of a volume. Another "
                                    "endpoint, bucket or prefix given later is another repository, which begins with "
                                    "a full backup; nobody looks after the former one then."),
                 Schedules(),
                 Retention(),
                 {.name = "timeout",
                  .type = FieldType::kDuration,
                  .description = "A backup that takes longer is ended, told of and tried again.",
                  .default_value = "4h",
                  .minimum_duration = "1m"},
                 Passphrase("Encrypts the repository with this passphrase (AES-256), in the cluster's own "
                            "namespace. Cannot be given, taken away or changed later, and has to be kept apart "
                            "from the cluster: without it no backup can be read.")},
      .exactly_one = {"storage", "s3"},
      .rules = {{.cel = "has(self.storage) == has(oldSelf.storage)",
                 .message = "a repository cannot move between a volume and an object store: remove backup, and give "
                            "it anew when the pod of the repository is gone",
                 .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
                   if (self.contains("storage") == old->contains("storage")) return {};
                   return {""};
                 },
                 .transition = true},
                {.cel = "has(self.passphraseSecretRef) == has(oldSelf.passphraseSecretRef) && "
                        "(!has(self.passphraseSecretRef) || self.passphraseSecretRef == "
                        "oldSelf.passphraseSecretRef)",
                 .message = "passphraseSecretRef cannot change: the repository is written with it; make a new "
                            "cluster and restore into that",
                 .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
                   const Json none;
                   if (self.value(kPassphraseReference, none) == old->value(kPassphraseReference, none)) return {};
                   return {kPassphraseReference};
                 },
                 .transition = true}}};
}

Field PostgresRestoreFields() {
  return {.name = "restoreFrom",
          .description =
              "Makes the database of another cluster's backups instead of an empty one, when the cluster is made. That "
              "repository is only read. Remove the field when the cluster is there: the pod that reads it then goes.",
          .fields = {{.name = "claimName",
                      .type = FieldType::kString,
                      .description = "The PersistentVolumeClaim of the repository, in the cluster's own namespace: "
                                     "repository-CLUSTER-BACKEND-backup-0. The former cluster may be there or not.",
                      .max_length = 253,
                      .pattern = kObjectNamePattern,
                      .pattern_words = "the name of a PersistentVolumeClaim"},
                     S3RepositoryFields("The repository, where it is in an S3-compatible object store. Keys that may "
                                        "only read are enough."),
                     {.name = "toTime",
                      .type = FieldType::kTime,
                      .description = "What was committed up to then is there, and nothing that came later; everything "
                                     "that was archived when absent.",
                      .max_length = 64},
                     Passphrase("The passphrase that the repository was encrypted with.")},
          .exactly_one = {"claimName", "s3"}};
}

Rule RestoreOnlyAtCreationRule() {
  return {.cel = "!has(self.restoreFrom) || (has(oldSelf.restoreFrom) && self.restoreFrom == oldSelf.restoreFrom)",
          .message =
              "restoreFrom is for the creation of a cluster, and can only be removed later: the database is there "
              "already; make a new cluster",
          .broken_at = [](const Json& self, const Json* old) -> std::vector<std::string> {
            if (!self.contains("restoreFrom")) return {};
            if (self.at("restoreFrom") == old->value("restoreFrom", Json())) return {};
            return {"restoreFrom"};
          },
          .transition = true};
}

std::optional<PostgresBackup> ReadPostgresBackup(const Json& postgres) {
  if (!postgres.contains("backup")) return std::nullopt;
  const Json& object = postgres.at("backup");
  const Json& schedule = object.at("schedule");
  const Json& retention = object.at("retention");
  PostgresBackup backup;
  backup.s3 = ReadS3Repository(object);
  if (object.contains("storage")) {
    const Json& storage = object.at("storage");
    backup.storage_size = storage.at("size").get<std::string>();
    if (storage.contains("storageClassName")) {
      backup.storage_class_name = storage.at("storageClassName").get<std::string>();
    }
  }
  backup.full_schedule = schedule.at("full").get<std::string>();
  backup.differential_schedule = schedule.value("differential", std::string());
  backup.time_zone = schedule.at("timeZone").get<std::string>();
  backup.full_retention = retention.at("full").get<std::int64_t>();
  backup.differential_retention = retention.value("differential", std::int64_t{0});
  const auto timeout = ParseDuration(object.at("timeout").get<std::string>());
  if (timeout.ok()) backup.timeout = std::chrono::duration_cast<std::chrono::seconds>(*timeout);
  backup.passphrase = ReadPassphrase(object);
  return backup;
}

std::optional<PostgresRestore> ReadPostgresRestore(const Json& postgres) {
  if (!postgres.contains("restoreFrom")) return std::nullopt;
  const Json& object = postgres.at("restoreFrom");
  return PostgresRestore{.claim = object.value("claimName", std::string()),
                         .s3 = ReadS3Repository(object),
                         .to_time = object.value("toTime", std::string()),
                         .passphrase = ReadPassphrase(object)};
}

Field PostgresBackupStatuses(std::size_t most_backends) {
  const auto text = [](const char* name, const char* description) {
    return Field{.name = name, .type = FieldType::kString, .description = description};
  };
  const auto number = [](const char* name, const char* description) {
    return Field{.name = name, .type = FieldType::kInteger, .description = description};
  };
  Field backend = {
      .fields = {
          {.name = "backend", .type = FieldType::kString, .description = "The backend's name.", .required = true},
          {.name = "healthy", .type = FieldType::kBoolean, .description = "What BackupHealthy says, of this backend."},
          text("reason", "Why, in one word for programs."),
          text("message", "Why, in a sentence for people."),
          text("lastFull", "When the last full backup was complete."),
          text("lastDifferential", "When the last differential backup was complete."),
          text("restorableFrom", "When the oldest full backup was complete: the first time to restore to."),
          text("running", "What is under way, such as: full backup since ...; absent while nothing is."),
          number("backups", "Backups in the repository."),
          number("failures", "Backups that have failed since the last that did not."),
          text("lastArchived", "The newest segment of the write-ahead log in the repository."),
          number("archiveFailures", "Failures of the server to archive a segment, since its statistics began."),
          number("archiveWaiting", "Segments of 16 MiB that are complete and not in the repository yet."),
          number("bytes", "What all backups take in the repository, without the archive.")}};
  return {.name = "backups",
          .type = FieldType::kList,
          .description = "Of each postgres backend with backups: how these are.",
          .max_items = most_backends,
          .list_key = "backend",
          .items = {std::move(backend)}};
}

}  // namespace holdfast::api
