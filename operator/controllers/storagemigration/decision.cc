#include "operator/controllers/storagemigration/decision.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace holdfast::storagemigration {
namespace {

constexpr std::size_t kMaximumMessage = 4096;
constexpr char kIdle[] = "idle";
constexpr char kCutOver[] = "cut_over";

bool IsTrue(const api::StorageMigrationStatus& status, const char* type) {
  const api::Condition* condition = api::FindCondition(status.conditions, type);
  return condition != nullptr && condition->status == api::ConditionStatus::kTrue;
}

// In a sentence.
std::string Reading(const std::string& ending) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kEndings = {{
      {"Deleted", "the StorageMigration was deleted"},
      {"AbortRequested", "spec.abort asked for it"},
      {"DeadlineExceeded", "it was not cut over by its deadline"},
      {"AlreadyUnderWay", "the service was at a migration of the store that nobody here had begun"},
      {"AbortedElsewhere", "somebody else aborted it at the service"},
      {"MoveForgotten", "the StorageCluster's status had lost it, and writes may have passed it by"},
  }};
  const auto* found =
      std::find_if(kEndings.begin(), kEndings.end(), [&](const auto& each) { return each.first == ending; });
  return std::string(found == kEndings.end() ? std::string_view("the StorageCluster is gone") : found->second);
}

class Decider {
 public:
  explicit Decider(const Facts& facts) : facts_(facts), spec_(facts.migration.spec) {
    verdict_.status = facts.migration.status;
    verdict_.status.observed_generation = facts.migration.generation;
    if (facts.moves) move_ = api::FindMove(*facts.moves, spec_.store);
    ours_ = move_ != nullptr && move_->uid == facts.migration.uid;
  }

  Verdict Decide() {
    const bool was_complete = IsTrue(verdict_.status, kCompleteCondition);
    if (!was_complete) NoteEnding();
    const bool moving = ours_ && move_->moving();
    if (!facts_.moves) {
      Gone(was_complete);
    } else if (moving) {
      status().from = move_->backend;
      Follow();
    } else if (was_complete || (ours_ && move_->backend == spec_.to)) {
      Complete();
      Release();
    } else {
      Begin();
    }
    EndByDeadline();
    return std::move(verdict_);
  }

 private:
  api::StorageMigrationStatus& status() { return verdict_.status; }
  std::string store() const { return "store " + spec_.store; }
  bool ending() const { return !verdict_.status.ending.empty(); }

  void Say(std::string reason, std::string message, Pace pace, Act act = Act::kNone) {
    verdict_.progress = {std::move(reason), std::move(message)};
    verdict_.progressing = true;
    verdict_.pace = pace;
    verdict_.act = act;
  }
  // Somebody has to do something.
  void Wait(std::string reason, std::string message) {
    Say(std::move(reason), std::move(message), Pace::kPerson);
    verdict_.progressing = false;
  }
  void Release() {
    verdict_.act = facts_.held ? Act::kRelease : Act::kNone;
    verdict_.pace = Pace::kRest;
  }

  void NoteEnding() {
    if (ending()) return;
    if (facts_.migration.being_deleted) {
      status().ending = "Deleted";
    } else if (spec_.abort) {
      status().ending = "AbortRequested";
    } else if (facts_.now >= facts_.migration.created + spec_.deadline) {
      status().ending = "DeadlineExceeded";
    }
  }

  void Complete() {
    std::string message = store() + " is in backend " + spec_.to;
    if (!status().from.empty()) message += ", and what backend " + status().from + " has of it is yours to remove";
    if (ending()) message += "; it was too late to abort";
    verdict_.complete = Said{"CutOver", std::move(message)};
    Say("CutOver", "nothing is left to be done", Pace::kRest);
    verdict_.progressing = false;
  }

  void Fail(const std::string& rest) {
    verdict_.failed = Said{status().ending, Reading(status().ending) + "; " + rest};
  }
  void FailForGood() {
    const std::string where = status().from.empty() ? "where it was" : "in backend " + status().from;
    Fail(store() + " is " + where + " as before");
    Say("Aborted", "nothing is left to be done", Pace::kRest);
    verdict_.progressing = false;
    Release();
  }

  void Gone(bool was_complete) {
    if (was_complete) {
      Complete();
      return Release();
    }
    if (status().former_id || ending()) {
      if (!ending()) status().ending = "ClusterGone";
      return FailForGood();
    }
    Wait("InvalidReference", "there is no StorageCluster " + spec_.cluster +
                                 " in this namespace: make it, or delete "
                                 "this StorageMigration and name another");
  }

  // Whatever keeps it from being undone: that it has failed is said at its deadline, but never of what is cut over.
  void EndByDeadline() {
    const bool cut_over = facts_.report && facts_.report->phase == kCutOver && status().former_id;
    if (status().ending != "DeadlineExceeded" || verdict_.failed || verdict_.complete || cut_over) return;
    Fail("the abort is still to be done: " + verdict_.progress.message);
  }

  // Nothing of it is in the cluster's status.
  void Begin() {
    if (status().former_id) {
      // There is nothing of it to be undone, or another migration has what there is.
      if (ending() && (status().service_phase == kIdle || !facts_.other.empty())) return FailForGood();
      // Whether pods went on without it nobody knows, but the former backend has everything unless it was cut over.
      if (!ending()) status().ending = "MoveForgotten";
    } else if (ending()) {
      return FailForGood();
    }
    if (!facts_.other.empty()) {
      return Wait("AnotherMigration",
                  "StorageMigration " + facts_.other + " moves " + store() + ": this one begins when that one is over");
    }
    if (facts_.unusable) return Wait(facts_.unusable->reason, facts_.unusable->message);
    if (facts_.paused) return Paused();
    status().from = facts_.wanted->backend;
    if (!facts_.held) return Say("Preparing", "it is being made ready", Pace::kNow, Act::kHold);
    Say("Preparing", "the service is told that " + store() + " may move to backend " + spec_.to, Pace::kNow,
        Act::kPrepare);
  }

  void Paused() {
    Wait("Paused", "the annotation storage.holdfast.dev/paused is on it or its StorageCluster: take it away to go on");
  }

  void Follow() {
    if (!status().former_id && ending()) {
      return Say("Aborting", "nothing was begun, and nothing is left of it", Pace::kNow, Act::kForget);
    }
    if (!facts_.report) {
      Say(status().former_id ? "ServiceSilent" : "ConfigurationRollingOut", facts_.silence, Pace::kFollow);
      if (ending()) Fail("the abort is still to be done: " + facts_.silence);
      return;
    }
    TakeOver(*facts_.report);
    const Report& report = *facts_.report;
    if (report.phase == kCutOver && !report.pending) return CutOver();
    if (report.pending) {
      return Say("ChangingPhase", "every instance of the service is being asked to go on to " + report.phase,
                 Pace::kNow);
    }
    if (report.phase == kIdle) return Idle(report);
    if (!status().former_id) {
      // It may be on its way to another backend; that it is aborted loses nothing.
      status().former_id = "";
      if (!ending()) status().ending = "AlreadyUnderWay";
    }
    if (report.phase == "aborting") {
      if (!ending()) status().ending = "AbortedElsewhere";
      return Say("Aborting", "what was copied is being removed", Pace::kFollow);
    }
    if (ending()) return Tell(Act::kAbort, "Aborting", Reading(status().ending));
    if (NeedsOtherPace()) return Say("Preparing", "the service is told of another rate", Pace::kNow, Act::kPrepare);
    Forward(report);
  }

  void TakeOver(const Report& report) {
    status().service_phase = report.phase;
    if (report.phase == kIdle) return;
    status().id = report.id;
    status().total = report.total;
    status().copied = report.copied;
    status().compared = report.compared;
    status().differences = report.differences;
  }

  bool NeedsOtherPace() const {
    return facts_.wanted && !facts_.paused &&
           (move_->keys_per_second != facts_.wanted->keys_per_second ||
            move_->keys_at_once != facts_.wanted->keys_at_once || move_->caller != facts_.wanted->caller);
  }

  // Before it, or after an abort.
  void Idle(const Report& report) {
    if (!status().former_id) {
      if (facts_.rolling) return Say("ConfigurationRollingOut", *facts_.rolling, Pace::kFollow);
      if (report.instances < facts_.pods) {
        return Say("ConfigurationRollingOut",
                   "the service counts " + std::to_string(report.instances) + " instances of " +
                       std::to_string(facts_.pods) + " pods that may move the store",
                   Pace::kFollow);
      }
      if (facts_.paused) return Paused();
      if (NeedsOtherPace()) return Say("Preparing", "the service is told of another rate", Pace::kNow, Act::kPrepare);
      status().former_id = report.id;
    }
    const bool ran = report.id != *status().former_id;
    if (ran && !ending()) status().ending = "AbortedElsewhere";
    if (ending()) {
      return Say("Aborting", "the service is told that " + store() + " stays where it is", Pace::kNow, Act::kForget);
    }
    if (facts_.paused) return Paused();
    Tell(Act::kStart, "Starting", "the service is told to copy " + store() + " to backend " + spec_.to);
  }

  void CutOver() {
    if (!status().former_id) {
      // To which backend, and what has been written since, only somebody who knows of it can tell.
      return Wait("AlreadyCutOver", "the service says that " + store() +
                                        " was cut over before this was begun: find out "
                                        "by whom and to which backend, and make status.moves of the StorageCluster so");
    }
    if (!status().cut_over_time) status().cut_over_time = std::chrono::floor<std::chrono::seconds>(facts_.now);
    Complete();
    Say("Settling", store() + " is served from backend " + spec_.to + "; the configuration follows", Pace::kNow);
    if (facts_.now < *status().cut_over_time + facts_.tidying) {
      verdict_.pace = Pace::kFollow;
    } else {
      verdict_.act = Act::kSettle;
    }
  }

  void Forward(const Report& report) {
    const bool copies = report.phase == "dual_write";
    if (copies || report.phase == "verifying") {
      const std::int64_t done = copies ? report.copied : report.compared;
      return Say(copies ? "Copying" : "Comparing",
                 std::to_string(done) + " of about " + std::to_string(report.total) +
                     (copies ? " keys are copied" : " keys are compared"),
                 Pace::kFollow);
    }
    if (facts_.paused) return Paused();
    const bool differed = report.differences > 0 && spec_.cut_over == api::CutOver::kAutomatic;
    if (differed) {
      return Wait("DifferencesFound",
                  std::to_string(report.differences) +
                      " keys were different and have been copied again, as after an outage of backend " + spec_.to +
                      ": set spec.cutOver to Approved to go on all the same, or spec.abort to undo it");
    }
    if (report.phase == "verified")
      return Tell(Act::kSwitchReads, "SwitchingReads", "everything is copied and compared");
    if (spec_.cut_over == api::CutOver::kManual) {
      return Wait("WaitingForApproval", "backend " + spec_.to + " answers reads, and backend " + status().from +
                                            " has everything still: set spec.cutOver to Approved to give it up, or "
                                            "spec.abort to undo it");
    }
    Tell(Act::kCutOver, "CuttingOver", "backend " + status().from + " is given up");
  }

  // A refusal is told for as long as the same is due.
  void Tell(Act act, std::string reason, std::string message) {
    if (facts_.refused == act) {
      verdict_.act = act;
      verdict_.progress = {"Refused", "the service refuses to " + std::string(NameOf(act)) + ": " + facts_.refusal};
      verdict_.progressing = false;
      verdict_.pace = Pace::kPerson;
      return;
    }
    Say(std::move(reason), std::move(message), Pace::kNow, act);
  }

  const Facts& facts_;
  const api::StorageMigrationSpec& spec_;
  const api::StoreMove* move_ = nullptr;
  bool ours_ = false;
  Verdict verdict_;
};

api::Condition ConditionOf(const char* type, bool holds, Said said, std::int64_t generation) {
  return {.type = type,
          .status = holds ? api::ConditionStatus::kTrue : api::ConditionStatus::kFalse,
          .reason = std::move(said.reason),
          .message = said.message.substr(0, kMaximumMessage),
          .observed_generation = generation};
}

}  // namespace

const char* NameOf(Act act) {
  switch (act) {
    case Act::kStart:
      return "start";
    case Act::kSwitchReads:
      return "switch_reads";
    case Act::kCutOver:
      return "cut_over";
    case Act::kAbort:
      return "abort";
    default:
      return "";
  }
}

Verdict Decide(const Facts& facts) {
  return Decider(facts).Decide();
}

api::StorageMigrationStatus Conclude(const Verdict& verdict, Timestamp now) {
  api::StorageMigrationStatus status = verdict.status;
  const Said not_yet{"NotYet", "it is not cut over"};
  const Said as_expected{"AsExpected", "nothing has failed"};
  const auto set = [&](const char* type, bool holds, const Said& said) {
    api::SetCondition(&status.conditions, ConditionOf(type, holds, said, status.observed_generation), now);
  };
  set(kProgressingCondition, verdict.progressing, verdict.progress);
  set(kCompleteCondition, verdict.complete.has_value(), verdict.complete.value_or(not_yet));
  set(kFailedCondition, verdict.failed.has_value(), verdict.failed.value_or(as_expected));
  return status;
}

bool IsOver(const api::StorageMigration& migration, bool held) {
  return !held && (IsTrue(migration.status, kCompleteCondition) || IsTrue(migration.status, kFailedCondition));
}

}  // namespace holdfast::storagemigration
