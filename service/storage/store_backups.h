// What the API shows of a store's backups, and what it may ask of them (service/backup).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "service/storage/snapshot.h"
#include "service/storage/store_checkpoints.h"

namespace holdfast::storage {

// The last time that a backup was restored into a scratch store and compared.
struct BackupDrill {
  Timestamp at{};
  std::chrono::microseconds took{};  // the restore; 0: it was not that far
  std::string failure;               // ErrorCodeName of why it failed; empty: it did not
};

struct BackupInfo {
  std::string id;
  // Why its manifest cannot be read; empty: it can. Otherwise the rest is not there.
  std::string damage;
  Timestamp created_at{};
  SnapshotConsistency consistency = SnapshotConsistency::kPerEntry;
  std::string backend;  // Backend::kind() of what it was taken of
  std::uint64_t entries = 0;
  std::uint64_t entry_bytes = 0;  // of keys and values
  std::uint64_t size_bytes = 0;   // of its objects
  std::uint64_t objects = 0;
  bool encrypted = false;
  std::string checksum;        // "sha256:..." of the checkpoint that it is
  std::string parent;          // the id of the backup that it builds on; empty: it is a full one
  std::size_t increments = 0;  // from the full one to this
  std::uint32_t format_version = 0;
  std::optional<Timestamp> verified_at;  // when all of it was last read and found sound
  std::optional<BackupDrill> drill;      // none: there was none
};

// kIncrement: a kCreate of what has changed since the newest sound backup; in what is shown and counted it is one.
enum class BackupAction { kCreate, kVerify, kDrill, kRestore, kPrune, kIncrement };
inline constexpr BackupAction kBackupActions[] = {BackupAction::kCreate, BackupAction::kVerify, BackupAction::kDrill,
                                                  BackupAction::kRestore, BackupAction::kPrune};
constexpr std::string_view BackupActionName(BackupAction action) {
  constexpr std::string_view kNames[] = {"create", "verify", "drill", "restore", "prune", "create"};
  return kNames[static_cast<std::size_t>(action)];
}

// Something that is done with backups in the background, and how far it is.
struct BackupRun {
  std::string id;
  BackupAction action = BackupAction::kCreate;
  std::string backup;           // empty for kPrune
  std::string source;           // the store of another deployment that it is of; empty: it is the store's own
  std::optional<Timestamp> to;  // kRestore: to what the store was then; none: to what the backup holds
  Timestamp asked_at{};
  std::optional<Timestamp> begun_at;     // none: it waits for its turn
  std::optional<Timestamp> finished_at;  // none: it runs
  std::string_view step;                 // "write", "read", "restore" ...; a constant
  std::uint64_t bytes = 0;               // that this step has moved
  std::uint64_t total_bytes = 0;         // that it will have; 0: not known
  // Of one that has finished.
  std::optional<Error> error;
  std::optional<BackupInfo> info;         // kCreate, kVerify, kDrill
  std::optional<RestoreReport> restored;  // kRestore
  std::vector<std::string> removed;       // kCreate, kPrune: by retention
  std::string note;                       // kIncrement: why it is a full one all the same; empty: it is none
};

// When backups of the store are made by themselves.
struct BackupSchedule {
  std::string expression;  // base/cron/schedule.h
  std::string time_zone;
  std::vector<Timestamp> next;  // when the next ones are due
};

// The times that the store can be restored to.
struct RestoreWindow {
  Timestamp earliest{};
  Timestamp latest{};  // up to which its changes were shipped
};

// Backups that can be read: a store's own, or those of a store of another deployment. Thread-safe.
class ReadableBackups {
 public:
  virtual ~ReadableBackups() = default;

  // Queues it; one of a store runs at a time. `id`: for kCreate and kIncrement [a-z0-9-]{1,63} or empty, then one is
  // made; empty for kPrune. kInvalidArgument; kNotFound for an id that could be none; kUnavailable: too many wait.
  virtual Result<BackupRun> Begin(BackupAction action, const std::string& id) = 0;
  // Queues a restore of what had been acknowledged up to `to`, by the clocks of those who served the store: of the
  // newest backup that was finished by then, or of `id`, and the changes since. As Begin; kNotSupported: no changes are
  // kept; kInvalidArgument: it lies in the future; kFailedPrecondition: no backup is old enough.
  virtual Result<BackupRun> BeginRestoreTo(Timestamp to, const std::string& id, Deadline deadline) = 0;
  // nullopt: none.
  virtual Result<std::optional<RestoreWindow>> Window(Deadline deadline) = 0;
  // Whole ones and those whose manifest is damaged, the newest last.
  virtual Result<std::vector<BackupInfo>> List(Deadline deadline) = 0;
  // kNotFound, also for what could be no id.
  virtual Result<BackupInfo> Get(const std::string& id, Deadline deadline) = 0;
};

// Thread-safe.
class StoreBackups : public ReadableBackups {
 public:
  // Looks at what is there, and begins with the schedule, in the background.
  virtual void Start() = 0;
  // Ends what runs: kCancelled, but for a restore that has begun to change the store, which is waited for. Idempotent.
  virtual void Stop() = 0;

  // Of this process, the last ones, also those of OfSource; kNotFound.
  virtual Result<BackupRun> FindRun(const std::string& run) = 0;
  // There is a place for the store's own. Without one there are FindRun and OfSource; all else is kNotSupported.
  virtual bool HasPlace() const = 0;
  // Those of `store` of another deployment, where nothing is ever written or removed: of what Begin takes there are
  // kVerify and kRestore, and what is asked for is kNotFound where that place has no backup of the store. It does not
  // outlive this. kNotSupported: the settings name no such place; kInvalidArgument: it can be no store's name.
  virtual Result<std::unique_ptr<ReadableBackups>> OfSource(const std::string& store) = 0;

  // nullopt: none are made by themselves.
  virtual std::optional<BackupSchedule> Schedule() const = 0;
  // kFailedPrecondition while a run needs it, or another backup builds on it.
  virtual Status Delete(const std::string& id, Deadline deadline) = 0;
};

}  // namespace holdfast::storage
