#include "operator/controllers/storagebackup/restore_decision.h"

#include <utility>

#include "base/time/duration.h"

namespace holdfast::storagebackup {
namespace {

constexpr char kFailedPrecondition[] = "failed_precondition";
constexpr char kWhatNow[] =
    ": look what the store holds, and at `holdfast checkpoint list`, where a checkpoint made by a restore after "
    "startedAt "
    "says that it had begun; to restore again make another StorageRestore";

// Which times there are, and how to come by others.
std::string TimesThereAre(const std::optional<Restorable>& restorable) {
  if (!restorable) return "`holdfast backup list` shows as `restorable` which times there are";
  if (!restorable->any) {
    return "what was shipped reaches behind no backup yet: with changeArchive of the store in the StorageCluster there "
           "is every time from the next backup on, once its changes are shipped; `holdfast backup list` shows them as "
           "`restorable`";
  }
  return "there is every time from " + FormatTimestamp(restorable->earliest) + " to " +
         FormatTimestamp(restorable->latest) + ", and up to now while the service ships: make another StorageRestore";
}

class Decider {
 public:
  explicit Decider(const RestoreFacts& facts) : facts_(facts) {
    status() = facts.restore.status;
    status().observed_generation = facts.restore.metadata.generation;
    if (status().phase.empty()) status().phase = api::kPhasePending;
  }

  RestoreVerdict Decide() {
    if (status().started) {
      Begun();
    } else if (IsPastDeadline()) {
      Fail("DeadlineExceeded", "it was not begun by its deadline, and nothing was changed: " + WhatItWaitedFor());
    } else {
      Before();
    }
    status().message = verdict_.said.message;
    SetConditions(verdict_.said, verdict_.pace, verdict_.end, status().observed_generation, facts_.now,
                  &status().conditions);
    return std::move(verdict_);
  }

 private:
  api::StorageRestoreStatus& status() { return verdict_.status; }

  void Say(std::string reason, std::string message, Pace pace) {
    verdict_.said = {std::move(reason), std::move(message)};
    verdict_.pace = pace;
  }
  void Fail(std::string reason, std::string message) {
    Say(std::move(reason), std::move(message), Pace::kRest);
    status().phase = api::kPhaseFailed;
    verdict_.end = End::kFailed;
  }
  void FailUnknown(const char* what) {
    std::string message = what;
    Fail("OutcomeUnknown", std::move(message.append(kWhatNow)));
  }
  bool IsPastDeadline() const { return facts_.now >= facts_.restore.metadata.created + facts_.restore.spec.deadline; }
  std::string WhatItWaitedFor() {
    return status().message.empty() ? std::string("the operator did not come to it") : status().message;
  }

  void Before() {
    if (facts_.no_backup) return Fail(facts_.no_backup->reason, facts_.no_backup->message + "; nothing was changed");
    if (facts_.unusable) return Say(facts_.unusable->reason, facts_.unusable->message, Pace::kPerson);
    if (!facts_.silence.empty()) return Say("ServiceSilent", facts_.silence, Pace::kFollow);
    if (!facts_.restore.spec.to && !HasBackup()) return;
    if (facts_.paused) {
      return Say("Paused",
                 "the annotation storage.holdfast.dev/paused is on it or its StorageCluster: take it away to go on",
                 Pace::kPerson);
    }
    status().id = facts_.id;
    status().started = std::chrono::floor<std::chrono::seconds>(facts_.now);
    status().phase = api::kPhaseRunning;
    verdict_.tell = true;
    Say("Starting", "the service is told to restore " + What(), Pace::kNow);
  }

  // "backup b1", "what it was at 2026-11-23T10:15:30Z, by backup b1"
  std::string What() {
    const std::string& source = facts_.restore.spec.source_store;
    std::string backup = "backup " + status().id + (source.empty() ? "" : " of the source's store " + source);
    if (!facts_.restore.spec.to) return backup;
    return "what the store was at " + FormatTimestamp(*facts_.restore.spec.to) +
           (status().id.empty() ? "" : ", by " + backup);
  }

  // Else it has failed.
  bool HasBackup() {
    if (!facts_.item) {
      const std::string& source = facts_.restore.spec.source_store;
      const std::string where =
          source.empty()
              ? "of store " + facts_.restore.spec.store + " (`holdfast backup list`"
              : "of store " + source + " in spec.backups.source (`holdfast backup list --source " + source + "`";
      Fail("NoBackup",
           "the service has no backup " + facts_.id + " " + where + " shows what there is); nothing was changed");
      return false;
    }
    if (facts_.item->damage.empty()) return true;
    Fail("Damaged", "backup " + facts_.id + " cannot be read: " + facts_.item->damage + "; nothing was changed");
    return false;
  }

  void Begun() {
    if (status().run.empty()) {
      return FailUnknown("whether the service was told to restore nobody knows");
    }
    if (facts_.run && facts_.run->succeeded()) return Succeed(*facts_.run);
    if (facts_.run && facts_.run->failed()) return RunFailed(*facts_.run);
    if (facts_.run_is_lost) {
      return FailUnknown("the process of the service that restored has ended");
    }
    if (IsPastDeadline()) {
      return FailUnknown("the service had not said by the deadline that it was done");
    }
    if (facts_.run) {
      Say(facts_.run->state == "waiting" ? "Waiting" : "Running", ProgressOf(*facts_.run), Pace::kFollow);
    } else if (!facts_.silence.empty()) {
      Say("ServiceSilent", facts_.silence, Pace::kFollow);
    } else {
      Say("ServiceSilent",
          facts_.unusable ? facts_.unusable->message
                          : "the pod of the service that answered is not the one that restores",
          Pace::kFollow);
    }
  }

  void RunFailed(const Run& run) {
    const bool of_time = facts_.restore.spec.to && run.problem == kFailedPrecondition;
    Fail("RestoreFailed",
         "the service says: " + WhyFailed(run) + (of_time ? "; " + TimesThereAre(facts_.restorable) : ""));
  }

  void Succeed(const Run& run) {
    status().phase = api::kPhaseSucceeded;
    status().completed = std::chrono::floor<std::chrono::seconds>(facts_.now);
    status().restored = run.restored;
    status().written = run.written;
    status().deleted = run.deleted;
    status().expired = run.expired;
    status().undo = run.undo;
    Say("Succeeded",
        (facts_.restore.spec.to ? "the store holds " + What() : "the store holds what " + What() + " holds") +
            (run.undo.empty() ? "" : "; checkpoint " + run.undo + " has what it held before"),
        Pace::kRest);
    verdict_.end = End::kComplete;
  }

  const RestoreFacts& facts_;
  RestoreVerdict verdict_;
};

}  // namespace

RestoreVerdict DecideRestore(const RestoreFacts& facts) {
  return Decider(facts).Decide();
}

Said Refused(const api::StorageRestoreSpec& spec, const std::string& detail,
             const std::optional<Restorable>& restorable) {
  std::string message = "the service refuses, and nothing was changed: " + detail;
  if (!spec.to) return {"Refused", std::move(message)};
  const bool outside =
      restorable && (!restorable->any || *spec.to < restorable->earliest || *spec.to > restorable->latest);
  return {outside ? "OutsideWindow" : "Refused", std::move(message.append("; ").append(TimesThereAre(restorable)))};
}

}  // namespace holdfast::storagebackup
