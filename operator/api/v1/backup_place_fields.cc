#include "operator/api/v1/backup_place_fields.h"

#include <utility>

#include "operator/api/v1/backup_schedule.h"
#include "operator/api/v1/postgres_fields.h"

namespace holdfast::api {
namespace {

constexpr char kName[] = "backups";
constexpr char kKeyReference[] = "encryptionKeySecretRef";
constexpr char kChangeArchive[] = "changeArchive";
constexpr char kRetention[] = "retention";
constexpr char kKeepLast[] = "keepLast";
constexpr char kKeepDays[] = "keepDays";
constexpr char kKeepWeeks[] = "keepWeeks";
constexpr char kSource[] = "source";
constexpr char kSchedules[] = "schedules";
constexpr char kClaim[] = "claimName";
constexpr char kBucket[] = "s3";

Field ObjectName(const char* name, std::string description, const char* words) {
  return {.name = name,
          .type = FieldType::kString,
          .description = std::move(description),
          .max_length = 253,
          .pattern = kObjectNamePattern,
          .pattern_words = words};
}

// `prefix`: what its description says of it.
Field S3(std::string prefix) {
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
  return {.name = kBucket,
          .description = "An S3-compatible server.",
          .fields = {std::move(endpoint),
                     std::move(bucket),
                     {.name = "prefix",
                      .type = FieldType::kString,
                      .description = std::move(prefix),
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

Field Kept(const char* name, std::int64_t by_default, const char* description) {
  return {.name = name,
          .type = FieldType::kInteger,
          .description = description,
          .default_value = by_default,
          .minimum = 0,
          .maximum = 100'000};
}

// Names, defaults and bounds are those of the service's stores.*.backup_keep_*.
Field Retention() {
  return {
      .name = kRetention,
      .description =
          "Which backups of each store are kept: what one of these has stay. All of them 0: nothing is removed. The "
          "newest that was verified, the newest that passed a drill and what these build on always stay. A change "
          "restarts the pods of the service.",
      .fields = {
          Kept(kKeepLast, 7, "So many of the newest."),
          Kept(kKeepDays, 0, "The newest of each of so many days (UTC), the last that have one, also beyond keepLast."),
          Kept(kKeepWeeks, 0, "The newest of each of so many weeks (from Monday, UTC), likewise.")}};
}

Field Source() {
  return {
      .name = kSource,
      .description =
          "Where the backups of another StorageCluster lie, or lay, from which stores here are restored: a "
          "StorageRestore with sourceStore. Nothing there is ever changed. A change restarts the pods of the service.",
      .fields = {ObjectName(kClaim,
                            "The PersistentVolumeClaim of that cluster's backups, or one with a copy of them, in this "
                            "cluster's own namespace. Every pod of the service mounts it, read-only: it has to be "
                            "ReadOnlyMany or ReadWriteMany where another pod, or another node, has it too.",
                            "the name of a PersistentVolumeClaim"),
                 S3("The prefix of that cluster's spec.backups.s3."),
                 KeyReference(kKeyReference,
                              "The key that they are encrypted with, in this cluster's own namespace. Needed when "
                              "they are, and refused by the service when they are not.",
                              "Secret")},
      .exactly_one = {kClaim, kBucket}};
}

bool HasPlace(const Json& backups) {
  return backups.contains(kClaim) || backups.contains(kBucket);
}

Rule OnePlaceRule() {
  return {.cel = "has(self.claimName) != has(self.s3) || (has(self.source) && !has(self.claimName))",
          .message = "must have exactly one of: claimName, s3; or source alone, then stores are only restored from it",
          .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
            const bool both = self.contains(kClaim) && self.contains(kBucket);
            if (!both && (HasPlace(self) || self.contains(kSource))) return {};
            return {""};
          }};
}

// What is about the cluster's own backups.
Rule OwnNeedsPlaceRule() {
  return {
      .cel =
          "has(self.claimName) || has(self.s3) || !has(self.source) || (!has(self.encryptionKeySecretRef) && "
          "!has(self.retention) && !has(self.changeArchive) && !has(self.schedules))",
      .message =
          "encryptionKeySecretRef, retention, changeArchive and schedules are about the cluster's own backups: name "
          "a place for those in claimName or s3, or leave them out; source has an encryptionKeySecretRef of its own",
      .broken_at = [](const Json& self, const Json*) -> std::vector<std::string> {
        if (HasPlace(self) || !self.contains(kSource)) return {};
        for (const char* const own : {kKeyReference, kRetention, kChangeArchive, kSchedules}) {
          if (self.contains(own)) return {""};
        }
        return {};
      }};
}

std::optional<std::string> GivenText(const Json& object, const char* name) {
  return object.contains(name) ? std::optional(object.at(name).get<std::string>()) : std::nullopt;
}

BackupLocation LocationOf(const Json& object) {
  BackupLocation location{.claim = object.value(kClaim, std::string())};
  if (object.contains(kBucket)) {
    const Json& s3 = object.at(kBucket);
    location.s3 = BackupBucket{.endpoint = s3.at("endpoint").get<std::string>(),
                               .bucket = s3.at("bucket").get<std::string>(),
                               .prefix = s3.at("prefix").get<std::string>(),
                               .region = s3.at("region").get<std::string>(),
                               .path_style = s3.at("pathStyle").get<bool>(),
                               .credentials_secret = s3.at("credentialsSecretName").get<std::string>()};
  }
  if (object.contains(kKeyReference)) {
    const Json& key = object.at(kKeyReference);
    location.encryption_key = SecretKey{key.at("name").get<std::string>(), key.at("key").get<std::string>()};
  }
  return location;
}

}  // namespace

Field BackupPlaceFields() {
  return {
      .name = kName,
      .description =
          "Where the service puts the backups of all stores, those of StorageBackups too. Without it there are "
          "none. A change of the place restarts the pods of the service; backups stay where they were.",
      .fields = {ObjectName(kClaim,
                            "A PersistentVolumeClaim in the cluster's own namespace, which every pod of the service "
                            "mounts: with several pods on several nodes it has to be ReadWriteMany. It is neither "
                            "made nor deleted by the operator. Two clusters with stores of the same name need "
                            "different ones.",
                            "the name of a PersistentVolumeClaim"),
                 S3("In front of the names of all objects. Two clusters with stores of the same name need different "
                    "ones."),
                 KeyReference(kKeyReference,
                              "Encrypts backups before they leave the service with this key (32 bytes, or 64 "
                              "hexadecimal digits), in the cluster's own namespace. Keep a copy elsewhere: without "
                              "it nobody can restore them.",
                              "Secret"),
                 Retention(), Shipping(), BackupSchedulesField(), Source()},
      .rules = {OnePlaceRule(), OwnNeedsPlaceRule()}};
}

std::optional<BackupPlace> ReadBackupPlace(const Json& spec) {
  if (!spec.contains(kName) || !HasPlace(spec.at(kName))) return std::nullopt;
  const Json& object = spec.at(kName);
  BackupPlace place{.location = LocationOf(object)};
  if (object.contains(kChangeArchive)) {
    const Json& archive = object.at(kChangeArchive);
    place.change_archive = {.interval = GivenText(archive, "interval"),
                            .segment_size = GivenText(archive, "segmentSize"),
                            .buffer_size = GivenText(archive, "bufferSize")};
  }
  if (object.contains(kRetention)) {
    const Json& kept = object.at(kRetention);
    place.retention = {.last = kept.at(kKeepLast).get<std::int64_t>(),
                       .days = kept.at(kKeepDays).get<std::int64_t>(),
                       .weeks = kept.at(kKeepWeeks).get<std::int64_t>()};
  }
  return place;
}

std::optional<BackupLocation> ReadBackupSource(const Json& spec) {
  if (!spec.contains(kName) || !spec.at(kName).contains(kSource)) return std::nullopt;
  return LocationOf(spec.at(kName).at(kSource));
}

}  // namespace holdfast::api
