#include "operator/controllers/storagebackup/backup_decision.h"

#include <utility>

#include "operator/resources/build.h"

namespace holdfast::storagebackup {
namespace {

constexpr std::size_t kMaximumId = 63;
constexpr std::size_t kHashLength = 10;
// A problem's code (docs/errors.md).
constexpr char kAlreadyExists[] = "already_exists";

class Decider {
 public:
  explicit Decider(const BackupFacts& facts) : facts_(facts), spec_(facts.backup.spec) {
    status() = facts.backup.status;
    status().observed_generation = facts.backup.metadata.generation;
    if (status().phase.empty()) status().phase = api::kPhasePending;
  }

  BackupVerdict Decide() {
    if (facts_.item && status().started) {
      Found(*facts_.item);
    } else if (facts_.unusable) {
      Wait(facts_.unusable->reason, facts_.unusable->message);
    } else if (!facts_.silence.empty()) {
      Say("ServiceSilent", facts_.silence, Pace::kFollow);
    } else {
      Missing();
    }
    EndByDeadline();
    status().message = verdict_.said.message;
    SetConditions(verdict_.said, verdict_.pace, verdict_.end, status().observed_generation, facts_.now,
                  &status().conditions);
    return std::move(verdict_);
  }

 private:
  api::StorageBackupStatus& status() { return verdict_.status; }

  void Say(std::string reason, std::string message, Pace pace) {
    verdict_.said = {std::move(reason), std::move(message)};
    verdict_.pace = pace;
  }
  // Somebody has to do something.
  void Wait(std::string reason, std::string message) { Say(std::move(reason), std::move(message), Pace::kPerson); }
  void Fail(std::string reason, std::string message) {
    Say(std::move(reason), std::move(message), Pace::kRest);
    status().phase = api::kPhaseFailed;
    verdict_.end = End::kFailed;
    verdict_.ask.reset();
  }

  void EndByDeadline() {
    if (verdict_.end != End::kNone || facts_.now < facts_.backup.metadata.created + spec_.deadline) return;
    const std::string rest = status().started ? "; `holdfast backup list` shows whether the service still finishes it"
                                              : "; nothing was begun";
    Fail("DeadlineExceeded", "it was not done by its deadline: " + verdict_.said.message + rest);
  }

  // It is told once more as long as the same is due.
  void Ask(Wish wish, std::string reason, std::string message) {
    if (facts_.paused) {
      return Wait("Paused",
                  "the annotation storage.holdfast.dev/paused is on it or its StorageCluster: take it away to go on");
    }
    verdict_.ask = wish;
    if (facts_.refusal) return Wait("Refused", "the service refuses: " + *facts_.refusal);
    // Of several pods that may answer most know nothing of a run, and are not asked for another one again and again.
    Say(std::move(reason), std::move(message), facts_.pod.empty() ? Pace::kFollow : Pace::kNow);
  }

  void Follow(const Run& run) { Say(run.state == "waiting" ? "Waiting" : "Running", ProgressOf(run), Pace::kFollow); }

  bool Creates(const Run& run) const { return run.action == "create" || run.action == "incremental"; }

  // The service answers, and there is no backup of the id.
  void Missing() {
    if (facts_.run && facts_.run->active()) {
      status().phase = api::kPhaseRunning;
      return Follow(*facts_.run);
    }
    if (facts_.run && facts_.run->failed() && facts_.run->problem == kAlreadyExists) {
      status().phase = api::kPhaseRunning;
      return Say("UnderWay",
                 "another attempt at backup " + status().id +
                     " is under way in the service, or was cut off: it waits until there is one, or the deadline",
                 Pace::kFollow);
    }
    if (facts_.run && facts_.run->failed()) return Fail("BackupFailed", "the service says: " + WhyFailed(*facts_.run));
    if (facts_.run && facts_.run->succeeded()) {
      return Fail("BackupGone", "backup " + status().id + " was made, and is not there any more");
    }
    if (!status().completed) {
      Ask(facts_.backup.spec.incremental ? Wish::kIncremental : Wish::kFull, "Starting",
          "the service is asked for backup " + BackupIdOf(facts_.backup.metadata.name, facts_.backup.metadata.uid));
      if (!verdict_.ask || status().started) return;
      status().id = BackupIdOf(facts_.backup.metadata.name, facts_.backup.metadata.uid);
      status().started = std::chrono::floor<std::chrono::seconds>(facts_.now);
      status().phase = api::kPhaseRunning;
      return;
    }
    Fail("BackupGone", "backup " + status().id + " was there, and is not any more");
  }

  void Found(const Item& item) {
    if (!item.damage.empty()) return Fail("Damaged", "backup " + item.id + " cannot be read: " + item.damage);
    status().phase = api::kPhaseVerifying;
    status().kind = item.parent.empty() ? "Full" : "Incremental";
    status().parent = item.parent;
    status().entries = item.entries;
    status().bytes = item.bytes;
    if (!status().completed) status().completed = item.created.value_or(facts_.now);
    if (facts_.run && facts_.run->active()) return Follow(*facts_.run);
    if (!item.verified) return Unverified();
    status().verified = item.verified_at.value_or(facts_.now);
    if (spec_.drill && !Drilled(item)) return;
    status().phase = api::kPhaseSucceeded;
    std::string message =
        "backup " + item.id + " is there, and " + (spec_.drill ? "was restored and compared" : "verified");
    if (facts_.run && !facts_.run->note.empty()) message += "; " + facts_.run->note;
    Say("Succeeded", std::move(message), Pace::kRest);
    verdict_.end = End::kComplete;
  }

  void Unverified() {
    status().verified.reset();
    if (facts_.run && facts_.run->failed() && (Creates(*facts_.run) || facts_.run->action == "verify")) {
      // An attempt beside the one that made it says nothing about it.
      if (facts_.run->problem != kAlreadyExists)
        return Fail("VerifyFailed", "the service says: " + WhyFailed(*facts_.run));
    }
    if (facts_.run && facts_.run->succeeded() && facts_.run->action == "verify") {
      return Fail("VerifyFailed", "the service has read the backup and does not call it verified");
    }
    Ask(Wish::kVerify, "Verifying", "the service is asked to read the backup again");
  }

  // Whether it was, and well; otherwise everything else is said.
  bool Drilled(const Item& item) {
    if (item.drill && item.drill->succeeded) {
      status().drilled = item.drill->at.value_or(facts_.now);
      return true;
    }
    if (item.drill) {
      Fail("DrillFailed", "the backup could not be restored beside the store: " + item.drill->code);
    } else if (facts_.run && facts_.run->action == "drill" && facts_.run->failed()) {
      Fail("DrillFailed", "the service says: " + WhyFailed(*facts_.run));
    } else if (facts_.run && facts_.run->action == "drill") {
      Fail("DrillFailed", "the service has ended a drill of which it kept no result");
    } else {
      Ask(Wish::kDrill, "Drilling", "the service is asked to restore the backup beside the store");
    }
    return false;
  }

  const BackupFacts& facts_;
  const api::StorageBackupSpec& spec_;
  BackupVerdict verdict_;
};

}  // namespace

std::string BackupIdOf(const std::string& name, const std::string& uid) {
  std::string id = name.substr(0, kMaximumId - kHashLength - 1);
  for (char& c : id) {
    if (c == '.') c = '-';
  }
  return id + "-" + resources::Sha256Of(uid).substr(0, kHashLength);
}

BackupVerdict DecideBackup(const BackupFacts& facts) {
  return Decider(facts).Decide();
}

}  // namespace holdfast::storagebackup
