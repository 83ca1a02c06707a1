#include "operator/resources/backup_place.h"

#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"

namespace holdfast::resources {
namespace {

constexpr char kKeyName[] = "key";
constexpr char kAccessKey[] = "accessKey";
constexpr char kSecretKey[] = "secretKey";
constexpr int kSecretMode = 0440;

// Names in the pod.
struct Mounted {
  const char* volume;
  const char* path;
  const char* key_volume;
  const char* key_path;
  const char* bucket_volume;
  const char* bucket_path;
  bool read_only;  // the claim
};
constexpr Mounted kOwn = {"backups",          "/var/lib/holdfast-backups",   "backup-key", "/etc/holdfast-backup-key",
                          "backup-bucket",    "/etc/holdfast-backup-bucket",
                          /*read_only=*/false};
constexpr Mounted kSource = {"backup-source",        "/var/lib/holdfast-backup-source",
                             "backup-source-key",    "/etc/holdfast-backup-source-key",
                             "backup-source-bucket", "/etc/holdfast-backup-source-bucket",
                             /*read_only=*/true};

kube::Json LocationSettings(const api::BackupLocation& location, const Mounted& mounted) {
  kube::Json settings = kube::Json::object();
  if (!location.claim.empty()) settings["directory"] = mounted.path;
  if (location.s3) {
    settings["s3"] = {{"endpoint", location.s3->endpoint},
                      {"bucket", location.s3->bucket},
                      {"prefix", location.s3->prefix},
                      {"region", location.s3->region},
                      {"path_style", location.s3->path_style},
                      {"access_key_file", PathIn(mounted.bucket_path, kAccessKey)},
                      {"secret_key_file", PathIn(mounted.bucket_path, kSecretKey)}};
  }
  if (location.encryption_key) settings["key_file"] = PathIn(mounted.key_path, kKeyName);
  return settings;
}

void AddFiles(const api::BackupLocation& location, const Mounted& mounted, VolumesAndMounts* files) {
  const auto add = [&](kube::Json volume, const char* name, const char* path, bool read_only) {
    files->volumes.push_back(std::move(volume));
    files->mounts.push_back(Mount(name, path, read_only));
  };
  if (!location.claim.empty()) {
    add({{"name", mounted.volume}, {"persistentVolumeClaim", {{"claimName", location.claim}}}}, mounted.volume,
        mounted.path, mounted.read_only);
  }
  if (location.s3) {
    kube::Json volume = SecretVolume(mounted.bucket_volume, location.s3->credentials_secret, kSecretMode);
    for (const char* key : {kAccessKey, kSecretKey}) {
      volume["secret"]["items"].push_back({{"key", key}, {"path", key}});
    }
    add(std::move(volume), mounted.bucket_volume, mounted.bucket_path, /*read_only=*/true);
  }
  if (location.encryption_key) {
    kube::Json volume = SecretVolume(mounted.key_volume, location.encryption_key->name, kSecretMode);
    volume["secret"]["items"] = kube::Json::array({{{"key", location.encryption_key->key}, {"path", kKeyName}}});
    add(std::move(volume), mounted.key_volume, mounted.key_path, /*read_only=*/true);
  }
}

}  // namespace

kube::Json BackupPlaceSettings(const api::StorageClusterSpec& spec) {
  kube::Json settings = kube::Json::object();
  if (spec.backups) {
    settings = LocationSettings(spec.backups->location, kOwn);
    const auto set = [&](const char* name, const std::optional<std::string>& value) {
      if (value) settings[name] = *value;
    };
    set("change_archive_interval", spec.backups->change_archive.interval);
    set("change_archive_segment_bytes", spec.backups->change_archive.segment_size);
    set("change_archive_buffer", spec.backups->change_archive.buffer_size);
  }
  if (spec.backup_source) settings["source"] = LocationSettings(*spec.backup_source, kSource);
  return settings;
}

void AddBackupRetention(const api::BackupPlace& place, kube::Json& store) {
  if (!place.retention) return;
  store["backup_keep_last"] = place.retention->last;
  store["backup_keep_days"] = place.retention->days;
  store["backup_keep_weeks"] = place.retention->weeks;
}

VolumesAndMounts BackupPlaceFiles(const api::StorageClusterSpec& spec) {
  VolumesAndMounts files;
  if (spec.backups) AddFiles(spec.backups->location, kOwn, &files);
  if (spec.backup_source) AddFiles(*spec.backup_source, kSource, &files);
  return files;
}

}  // namespace holdfast::resources
