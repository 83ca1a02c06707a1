#include "operator/api/v1/backup_place_fields.h"

#include <utility>

#include "operator/api/v1/backup_schedule.h"
#include "operator/api/v1/postgres_fields.h"

namespace holdfast::api {
namespace {

constexpr char kName[] = "backups";
constexpr char kKeyReference[] = "encryptionKeySecretRef";
constexpr char kChangeArchive[] = "changeArchive";

Field ObjectName(const char* name, std::string description, const char* words) {
  return {.name = name,
          .type = FieldType::kString,
          .description = std::move(description),
          .max_length = 253,
          .pattern = kObjectNamePattern,
          .pattern_words = words};
}

Field S3() {
  Field endpoint = {.name = "endpoint",
                    .type = FieldType::kString,
                    .description = "The server, such as https://s3.example.com:9000. Its certificate is checked.",
                    .required = true,
                    .max_length = 512,
                    .pattern = "^https?://[-.:a-zA-Z0-9\\[\\]]+$",
                    .pattern_words = "http:// or https://, a host and perhaps a port"};
  Field bucket = {.name = "bucket",
                  .type = FieldType::kString,
                  .description = "Its bucket, which has to be there.",
                  .required = true,
                  .max_length = 63,
                  .pattern = "^[a-z0-9][-.a-z0-9]*[a-z0-9]$",
                  .pattern_words = "the name of a bucket"};
  Field credentials = ObjectName("credentialsSecretName",
                                 "The Secret, in the cluster's own namespace, with the keys accessKey and secretKey. A "
                                 "change of its contents needs no restart.",
                                 "the name of a Secret");
  credentials.required = true;
  return {.name = "s3",
          .description = "An S3-compatible server.",
          .fields = {std::move(endpoint),
                     std::move(bucket),
                     {.name = "prefix",
                      .type = FieldType::kString,
                      .description = "In front of the names of all objects. Two clusters with stores of the same name "
                                     "need different ones.",
                      .default_value = "holdfast",
                      .max_length = 256,
                      .pattern = "^[a-zA-Z0-9]([-_./a-zA-Z0-9]*[a-zA-Z0-9])?$",
                      .pattern_words = "letters, digits, dashes, underscores, dots and slashes"},
                     {.name = "region",
                      .type = FieldType::kString,
                      .description = "The region that requests are signed for.",
                      .default_value = "us-east-1",
                      .max_length = 64,
                      .pattern = "^[a-zA-Z0-9][-a-zA-Z0-9]*$",
                      .pattern_words = "the name of a region"},
                     {.name = "pathStyle",
                      .type = FieldType::kBoolean,
                      .description = "The bucket stands in the path, not in the host's name; false for AWS.",
                      .default_value = true},
                     std::move(credentials)}};
}

// Without defaults, as those of queues.
Field Shipping() {
  return {.name = kChangeArchive,
          .description = "How the changes of stores with changeArchive are shipped there.",
          .fields = {{.name = "interval",
                      .type = FieldType::kDuration,
                      .description = "How often: what a lost disk takes of them at most; 1m when absent.",
                      .minimum_duration = "1s",
                      .maximum_duration = "24h"},
                     {.name = "segmentSize",
                      .type = FieldType::kBytes,
                      .description = "Keys and values of one object; more are shipped at once as several. 8Mi when "
                                     "absent.",
                      .minimum_quantity = "64Ki",
                      .maximum_quantity = "256Mi"},
                     {.name = "bufferSize",
                      .type = FieldType::kBytes,
                      .description =
                          "Of a store on a memory, postgres or redis backend: changes that wait to be shipped at most, "
                          "in the pod's memory, on the database's volume or within maxMemory. Beyond it there is a gap "
                          "in its change log. 64Mi "
                          "when absent.",
                      .minimum_quantity = "1Mi",
                      .maximum_quantity = "64Gi"}}};
}

std::optional<std::string> GivenText(const Json& object, const char* name) {
  return object.contains(name) ? std::optional(object.at(name).get<std::string>()) : std::nullopt;
}

}  // namespace

Field BackupPlaceFields() {
  return {
      .name = kName,
      .description =
          "Where the service puts the backups of all stores, those of StorageBackups too. Without it there are "
          "none. A change of the place restarts the pods of the service; backups stay where they were.",
      .fields = {ObjectName("claimName",
                            "A PersistentVolumeClaim in the cluster's own namespace, which every pod of the service "
                            "mounts: with several pods on several nodes it has to be ReadWriteMany. It is neither "
                            "made nor deleted by the operator. Two clusters with stores of the same name need "
                            "different ones.",
                            "the name of a PersistentVolumeClaim"),
                 S3(),
                 KeyReference(kKeyReference,
                              "Encrypts backups before they leave the service with this key (32 bytes, or 64 "
                              "hexadecimal digits), in the cluster's own namespace. Keep a copy elsewhere: without "
                              "it nobody can restore them.",
                              "Secret"),
                 Shipping(), BackupSchedulesField()},
      .exactly_one = {"claimName", "s3"}};
}

std::optional<BackupPlace> ReadBackupPlace(const Json& spec) {
  if (!spec.contains(kName)) return std::nullopt;
  const Json& object = spec.at(kName);
  BackupPlace place{.claim = object.value("claimName", std::string())};
  if (object.contains("s3")) {
    const Json& s3 = object.at("s3");
    place.s3 = BackupBucket{.endpoint = s3.at("endpoint").get<std::string>(),
                            .bucket = s3.at("bucket").get<std::string>(),
                            .prefix = s3.at("prefix").get<std::string>(),
                            .region = s3.at("region").get<std::string>(),
                            .path_style = s3.at("pathStyle").get<bool>(),
                            .credentials_secret = s3.at("credentialsSecretName").get<std::string>()};
  }
  if (object.contains(kKeyReference)) {
    const Json& key = object.at(kKeyReference);
    place.encryption_key = SecretKey{key.at("name").get<std::string>(), key.at("key").get<std::string>()};
  }
  if (object.contains(kChangeArchive)) {
    const Json& archive = object.at(kChangeArchive);
    place.change_archive = {.interval = GivenText(archive, "interval"),
                            .segment_size = GivenText(archive, "segmentSize"),
                            .buffer_size = GivenText(archive, "bufferSize")};
  }
  return place;
}

}  // namespace holdfast::api
