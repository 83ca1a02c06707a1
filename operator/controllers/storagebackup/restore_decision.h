// What a StorageRestore says of itself, and whether the service is to be told: a pure function of what is known.
//
// startedAt stands in the status before the service is told. Once it is there nobody tells the service again, whoever
// goes on after a crash: what became of it then follows from the run, or nobody knows.
#pragma once

#include <optional>
#include <string>

#include "operator/api/v1/storage_restore.h"
#include "operator/controllers/storagebackup/service_client.h"
#include "operator/controllers/storagebackup/verdict.h"

namespace holdfast::storagebackup {

struct RestoreFacts {
  api::StorageRestore restore;
  bool paused = false;                 // it, or its cluster
  std::optional<Said> unusable = {};   // why the cluster cannot do it
  std::optional<Said> no_backup = {};  // why there is nothing to restore from, for good
  std::string id = {};                 // of the backup that is meant; of a restore to a time empty
  std::string silence = {};            // why nothing is known of the service
  std::optional<Item> item = {};       // of the id, before the start; without silence: absent = there is none
  std::optional<Run> run = {};         // behind it; absent = the process that answered does not know it
  bool run_is_lost = false;            // the process that had the run has ended
  // Of a restore to a time that has failed; absent: not known.
  std::optional<Restorable> restorable = {};
  Timestamp now{};
};

struct RestoreVerdict {
  api::StorageRestoreStatus status;  // with its conditions
  Said said;
  bool tell = false;  // behind the status
  Pace pace = Pace::kNow;
  End end = End::kNone;
};

// Of a restore that is not over.
RestoreVerdict DecideRestore(const RestoreFacts& facts);

// What to say when the service was told, has refused with `detail`, and begun nothing. `restorable`: as in the facts.
Said Refused(const api::StorageRestoreSpec& spec, const std::string& detail,
             const std::optional<Restorable>& restorable);

}  // namespace holdfast::storagebackup
