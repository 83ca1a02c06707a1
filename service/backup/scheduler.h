// Has the backups of a store made by themselves, at the ticks of a schedule.
//
// Each tick has one backup, however many instances serve the store: its id follows from the tick, and whoever puts the
// claim there first makes it (Target::PutNew). The others look again until the backup is there. A claim below which
// nothing changes for kTakeover belongs to an instance that has ended; then another one goes on. No clock decides: one
// that is wrong makes a backup early or late, and not twice.
//
//   overlap    a tick that comes due while a run of the store's backups waits or runs is skipped
//   missed     of the ticks that came due while nobody was there the last one is made up, once, unless a backup of the
//              store is as new; so is that of before the very first start
//   failure    a run that failed is not repeated by this instance before the next tick (alert HoldfastBackupFailed)
//
// A backup that a tick asks for is one as any other: verified, and followed by the retention.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "service/backup/catalogue.h"
#include "service/backup/tick.h"
#include "service/storage/store_backups.h"

namespace holdfast::backup {

// Between looks at a claim that another instance has, and at a target that does not answer.
inline constexpr std::chrono::seconds kLookAgain{15};
inline constexpr std::chrono::minutes kTakeover{5};

// What a schedule asks of the store's backups. Thread-safe.
class ScheduledRuns {
 public:
  virtual ~ScheduledRuns() = default;
  // A run waits or is under way.
  virtual bool IsBusy() const = 0;
  // As StoreBackups::Begin, of a backup whose claim the caller has.
  virtual Result<storage::BackupRun> BeginClaimed(const std::string& id) = 0;
  virtual Result<storage::BackupRun> BeginDrill(const std::string& id) = 0;
  virtual Result<storage::BackupRun> FindRun(const std::string& run) = 0;
};

// Look is one thread's; the rest is thread-safe.
class Scheduler {
 public:
  // All of them outlive it.
  Scheduler(std::string store, ScheduleOptions options, const Catalogue& catalogue, ScheduledRuns& runs,
            const Clock& clock, metrics::Registry& registry);

  // Does what is due. Called every second or so; asks the target only when a tick is due.
  void Look();
  // The schedule and when it comes due next, with the jitter.
  storage::BackupSchedule Describe() const;

 private:
  enum class Outcome { kBegun, kElsewhere, kSkipped, kAgain };

  Timestamp DueAt(Timestamp tick) const;
  // The tick to be seen to now, if one is due and it is time to look.
  std::optional<Timestamp> Due(Timestamp now);
  Outcome SeeTo(Timestamp tick);
  Outcome Claim(Timestamp tick);
  // Another instance has the claim: whether it seems to have ended.
  bool IsAbandoned(const std::string& id);
  Outcome Begin(const std::string& id);
  void Count(Outcome outcome);
  void MoveOn(Timestamp tick);
  // What has come of the run that a tick began.
  void FollowRun();
  void DrillIfDue();

  const std::string store_;
  const ScheduleOptions options_;
  const Catalogue& catalogue_;
  ScheduledRuns& runs_;
  const Clock& clock_;
  metrics::Registry& registry_;
  metrics::Gauge& next_due_;

  // Of Look.
  std::string run_;                          // that the last tick began; empty: its end was seen
  std::optional<MonotonicTime> not_before_;  // of the next look at the target
  std::string claimed_state_;                // what lay below the other's claim, and since when
  MonotonicTime claimed_since_{};

  mutable std::mutex mutex_;
  std::optional<Timestamp> tick_;  // the next one; none: before the first Look. Guarded by mutex_
};

}  // namespace holdfast::backup
