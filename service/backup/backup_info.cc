#include "service/backup/backup_info.h"

namespace holdfast::backup {
namespace {

std::uint64_t BytesOf(const Manifest& manifest) {
  std::uint64_t bytes = 0;
  for (const ManifestObject& object : manifest.objects) bytes += object.bytes;
  for (const ManifestObject& object : manifest.index) bytes += object.bytes;
  return bytes;
}

}  // namespace

storage::BackupInfo InfoOf(const StoredBackup& stored) {
  storage::BackupInfo info;
  info.id = stored.id;
  if (stored.damage) {
    info.damage = stored.damage->message();
    return info;
  }
  const Manifest& manifest = stored.manifest;
  info.created_at = manifest.created_at;
  info.consistency = manifest.consistency;
  info.backend = manifest.backend;
  info.entries = manifest.entries;
  info.entry_bytes = manifest.entry_bytes;
  info.size_bytes = BytesOf(manifest);
  info.objects = manifest.objects.size() + manifest.index.size();
  info.encrypted = manifest.encryption.has_value();
  info.checksum = durability::ShowDigest(manifest.checkpoint);
  info.format_version = manifest.format;
  if (manifest.parent) info.parent = manifest.parent->id;
  info.increments = manifest.link;
  info.verified_at = stored.verified_at;
  if (stored.drill) info.drill = {stored.drill->at, stored.drill->took, stored.drill->failure};
  return info;
}

std::vector<storage::BackupInfo> InfosOf(const std::vector<StoredBackup>& all) {
  std::vector<storage::BackupInfo> infos;
  infos.reserve(all.size());
  for (const StoredBackup& stored : all) infos.push_back(InfoOf(stored));
  return infos;
}

}  // namespace holdfast::backup
