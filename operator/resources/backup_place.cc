#include "operator/resources/backup_place.h"

#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"

namespace holdfast::resources {
namespace {

constexpr char kVolume[] = "backups";
constexpr char kPath[] = "/var/lib/holdfast-backups";
constexpr char kKeyVolume[] = "backup-key";
constexpr char kKeyPath[] = "/etc/holdfast-backup-key";
constexpr char kKeyName[] = "key";
constexpr char kBucketVolume[] = "backup-bucket";
constexpr char kBucketPath[] = "/etc/holdfast-backup-bucket";
constexpr char kAccessKey[] = "accessKey";
constexpr char kSecretKey[] = "secretKey";
constexpr int kSecretMode = 0440;

}  // namespace

kube::Json BackupPlaceSettings(const api::BackupPlace& place) {
  kube::Json settings = kube::Json::object();
  if (!place.claim.empty()) settings["directory"] = kPath;
  if (place.s3) {
    settings["s3"] = {{"endpoint", place.s3->endpoint},
                      {"bucket", place.s3->bucket},
                      {"prefix", place.s3->prefix},
                      {"region", place.s3->region},
                      {"path_style", place.s3->path_style},
                      {"access_key_file", PathIn(kBucketPath, kAccessKey)},
                      {"secret_key_file", PathIn(kBucketPath, kSecretKey)}};
  }
  if (place.encryption_key) settings["key_file"] = PathIn(kKeyPath, kKeyName);
  const auto set = [&](const char* name, const std::optional<std::string>& value) {
    if (value) settings[name] = *value;
  };
  set("change_archive_interval", place.change_archive.interval);
  set("change_archive_segment_bytes", place.change_archive.segment_size);
  set("change_archive_buffer", place.change_archive.buffer_size);
  return settings;
}

void AddBackupRetention(const api::BackupPlace& place, kube::Json& store) {
  if (!place.retention) return;
  store["backup_keep_last"] = place.retention->last;
  store["backup_keep_days"] = place.retention->days;
  store["backup_keep_weeks"] = place.retention->weeks;
}

VolumesAndMounts BackupPlaceFiles(const api::BackupPlace& place) {
  VolumesAndMounts files;
  const auto add = [&](kube::Json volume, const char* name, const char* path, bool read_only) {
    files.volumes.push_back(std::move(volume));
    files.mounts.push_back(Mount(name, path, read_only));
  };
  if (!place.claim.empty()) {
    add({{"name", kVolume}, {"persistentVolumeClaim", {{"claimName", place.claim}}}}, kVolume, kPath,
        /*read_only=*/false);
  }
  if (place.s3) {
    kube::Json volume = SecretVolume(kBucketVolume, place.s3->credentials_secret, kSecretMode);
    for (const char* key : {kAccessKey, kSecretKey}) {
      volume["secret"]["items"].push_back({{"key", key}, {"path", key}});
    }
    add(std::move(volume), kBucketVolume, kBucketPath, /*read_only=*/true);
  }
  if (place.encryption_key) {
    kube::Json volume = SecretVolume(kKeyVolume, place.encryption_key->name, kSecretMode);
    volume["secret"]["items"] = kube::Json::array({{{"key", place.encryption_key->key}, {"path", kKeyName}}});
    add(std::move(volume), kKeyVolume, kKeyPath, /*read_only=*/true);
  }
  return files;
}

}  // namespace holdfast::resources
