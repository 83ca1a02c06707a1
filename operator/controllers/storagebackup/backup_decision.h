// What a StorageBackup says of itself, and the next thing to do for it: a pure function of what is known.
//
// The id follows from the object alone and stands in the status before the service is asked for it. The service makes
// each id once, so that asking again, which is what is done whenever nobody knows, never makes a second backup. That it
// is done follows from nothing but the backup itself, as the service finds it where backups lie.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "operator/api/v1/storage_backup.h"
#include "operator/controllers/storagebackup/service_client.h"
#include "operator/controllers/storagebackup/verdict.h"

namespace holdfast::storagebackup {

// 1 to 63 of a-z, 0-9 and '-': the name as far as it fits and a hash of the uid.
std::string BackupIdOf(const std::string& name, const std::string& uid);

struct BackupFacts {
  api::StorageBackup backup;
  bool paused = false;                      // it, or its cluster
  std::optional<Said> unusable = {};        // why the cluster cannot have it made
  std::string silence = {};                 // why nothing is known of the service
  std::optional<Item> item = {};            // without silence: absent = there is none of the id
  std::optional<Run> run = {};              // status.run; absent = the process that answered does not know it
  std::string pod = {};                     // that answers; empty = any
  std::optional<std::string> refusal = {};  // what the service said when it was asked last
  Timestamp now{};
};

struct BackupVerdict {
  api::StorageBackupStatus status;  // with its conditions
  Said said;
  std::optional<Wish> ask = {};  // behind the status
  Pace pace = Pace::kNow;
  End end = End::kNone;
};

// Of a backup that is not over.
BackupVerdict DecideBackup(const BackupFacts& facts);

}  // namespace holdfast::storagebackup
