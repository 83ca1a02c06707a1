// The backups of a store on its target. A backup is there once its manifest is, which is written last and removed
// first:
//
//   <backup>/<series>-00000001 ...   docs/formats/backup.md
//            manifest
//            verified                the manifest's SHA-256, and when all of the backup was last read
//            drill                   likewise, when it was last restored into a scratch store, and what came of it
//            doomed-<who>            somebody is about to remove it (removal.h)
//
// What has no manifest is being written, or is left of one that was not finished: it is never listed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/backup/manifest.h"
#include "service/backup/target.h"

namespace holdfast::backup {

// The last one of a backup.
struct DrillRecord {
  Timestamp at{};
  std::chrono::microseconds took{};  // the restore; 0: it was not that far
  std::string failure;               // ErrorCodeName of why it failed; empty: it did not

  bool succeeded() const { return failure.empty(); }
};

struct StoredBackup {
  std::string id;
  std::optional<Error> damage;  // of the manifest; then the rest says nothing
  Manifest manifest;
  std::optional<Timestamp> verified_at;
  std::optional<DrillRecord> drill;
  std::vector<StoredObject> doomed;  // the marks of removals, of those that List gives
};

// Objects without a manifest.
struct UnfinishedBackup {
  std::string id;
  Timestamp modified_at{};  // of the newest of them
};

// What is needed to read one.
struct OpenedBackup {
  Manifest manifest;
  durability::Digest digest{};         // of the manifest
  std::optional<ObjectCipher> cipher;  // none: it is not encrypted
};

// Thread-safe.
class Catalogue {
 public:
  // `key`: none, backups are neither encrypted nor decrypted. `key_setting`: as kKeySetting.
  Catalogue(std::shared_ptr<Target> target, const std::optional<BackupKey>& key, std::string key_setting = kKeySetting)
      : target_(std::move(target)), key_(key), key_setting_(std::move(key_setting)) {}

  Target& target() const { return *target_; }
  const std::optional<BackupKey>& key() const { return key_; }

  // By the times at which they were taken, the newest last; damaged ones first.
  Result<std::vector<StoredBackup>> List(Deadline deadline) const;
  Result<std::vector<UnfinishedBackup>> ListUnfinished(Deadline deadline) const;
  // kNotFound, also for what is no id and for what is not finished.
  Result<StoredBackup> Get(const std::string& id, Deadline deadline) const;
  // Its manifest is sound, and signed with our key if there is one. kCorruption; kFailedPrecondition: it needs a key
  // that we do not have, or we have one and it is not encrypted.
  Result<OpenedBackup> Open(const std::string& id, Deadline deadline) const;
  Status MarkVerified(const OpenedBackup& backup, Timestamp now, Deadline deadline) const;
  // It was found damaged: it does not count as verified any more.
  Status UnmarkVerified(const std::string& id, Deadline deadline) const;
  Status RecordDrill(const OpenedBackup& backup, const DrillRecord& record, Deadline deadline) const;
  // A mark of a removal is beside it.
  Result<bool> IsDoomed(const std::string& id, Deadline deadline) const;
  // Everything under that id, the manifest first.
  Status Remove(const std::string& id, Deadline deadline) const;

 private:
  const std::shared_ptr<Target> target_;
  const std::optional<BackupKey> key_;
  const std::string key_setting_;
};

}  // namespace holdfast::backup
