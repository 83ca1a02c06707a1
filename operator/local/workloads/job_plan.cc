#include "operator/local/workloads/job_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/time/backoff.h"
#include "base/time/duration.h"
#include "operator/local/workloads/pod_facts.h"

namespace holdfast::local {
namespace {

// After a pod has failed; doubled with each further one.
constexpr std::chrono::seconds kInitialDelay{10};
constexpr std::chrono::minutes kLongestDelay{6};

std::string TimeText(Timestamp time) {
  return FormatTimestamp(std::chrono::floor<std::chrono::seconds>(time));
}

// When the last of its containers ended.
std::optional<Timestamp> EndOf(const Json& pod) {
  std::optional<Timestamp> end;
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& each : ArrayAt(pod, {"status", list})) {
      std::optional<Timestamp> finished = TimeAt(each, {"state", "terminated", "finishedAt"});
      if (finished && (!end || *finished > *end)) end = finished;
    }
  }
  return end;
}

// What podFailurePolicy says about a failed pod.
struct Verdict {
  std::string action = "Count";
  std::string message;
};

std::optional<Verdict> JudgedBy(const Json& rule, std::size_t index, const Json& pod) {
  const Json& codes = ObjectAt(rule, {"onExitCodes"});
  if (codes.empty()) return std::nullopt;
  std::string only = TextAt(codes, {"containerName"});
  const Json& values = ArrayAt(codes, {"values"});
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& each : ArrayAt(pod, {"status", list})) {
      std::string name = TextAt(each, {"name"});
      std::int64_t code = IntegerAt(each, {"state", "terminated", "exitCode"});
      // Success never matches, not even "NotIn".
      if (code == 0 || (!only.empty() && name != only)) continue;
      bool among = std::find(values.begin(), values.end(), Json(code)) != values.end();
      if (among != (TextAt(codes, {"operator"}) == "In")) continue;
      std::string action = TextAt(rule, {"action"});
      return Verdict{
          action, fmt::format("Container {} for pod {}/{} failed with exit code {} matching {} rule at index {}", name,
                              NamespaceOf(pod), NameOf(pod), code, action, index)};
    }
  }
  return std::nullopt;
}

Verdict Judge(const Json& job, const Json& pod) {
  const Json& rules = ArrayAt(job, {"spec", "podFailurePolicy", "rules"});
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (auto verdict = JudgedBy(rules[i], i, pod)) return *verdict;
  }
  return {};
}

class Planner {
 public:
  Planner(const Json& job, const std::vector<Json>& pods, Timestamp now)
      : job_(job), now_(now), completions_(IntegerAt(job, {"spec", "completions"}, 1)) {
    plan_.status = ObjectAt(job, {"status"});
    for (const Json& pod : pods) {
      std::string phase = TextAt(pod, {"status", "phase"});
      if (phase == "Succeeded") {
        ++succeeded_;
      } else if (phase == "Failed") {
        Verdict verdict = Judge(job, pod);
        if (verdict.action == "FailJob") lost_ = verdict.message;
        if (verdict.action == "Ignore") continue;
        ++failed_;
        last_failure_ = std::max(last_failure_, EndOf(pod).value_or(Timestamp()));
      } else if (!IsTerminating(pod)) {
        active_.push_back(&pod);
        for (const Json& each : ArrayAt(pod, {"status", "containerStatuses"})) {
          restarts_ += IntegerAt(each, {"restartCount"});
        }
      }
    }
  }

  JobPlan Plan() {
    if (IsTerminating(job_)) return std::move(plan_);
    if (const Json* finished = Finished()) {
      StopActive();
      Expire(*finished);
      return std::move(plan_);
    }
    bool suspended = BoolAt(job_, {"spec", "suspend"});
    if (suspended) {
      StopActive();
      plan_.status.erase("startTime");
    } else if (!plan_.status.contains("startTime")) {
      plan_.status["startTime"] = TimeText(now_);
    }
    Decide(suspended);
    plan_.status["active"] = static_cast<std::int64_t>(active_.size()) + static_cast<std::int64_t>(plan_.pods.size());
    plan_.status["ready"] =
        std::count_if(active_.begin(), active_.end(), [](const Json* each) { return IsReadyPod(*each); });
    plan_.status["succeeded"] = succeeded_;
    plan_.status["failed"] = failed_;
    return std::move(plan_);
  }

 private:
  const Json* Finished() const {
    for (const Json& each : ArrayAt(job_, {"status", "conditions"})) {
      std::string type = TextAt(each, {"type"});
      if ((type == "Complete" || type == "Failed") && TextAt(each, {"status"}) == "True") return &each;
    }
    return nullptr;
  }

  void Decide(bool suspended) {
    std::int64_t limit = IntegerAt(job_, {"spec", "backoffLimit"}, 6);
    bool restarts_in_place = TextAt(job_, {"spec", "template", "spec", "restartPolicy"}) == "OnFailure";
    // Restarts in place count as failures do.
    bool too_many_restarts = restarts_in_place && restarts_ > 0 && restarts_ >= limit;
    if (succeeded_ >= completions_) {
      Finish("Complete", "CompletionsReached", "Reached expected number of succeeded pods");
      plan_.status["completionTime"] = TimeText(now_);
    } else if (!lost_.empty()) {
      Finish("Failed", "PodFailurePolicy", lost_);
    } else if (failed_ > limit || too_many_restarts) {
      Finish("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit");
    } else if (!suspended) {
      if (PastDeadline()) {
        Finish("Failed", "DeadlineExceeded", "Job was active longer than specified deadline");
      } else {
        CreatePods();
      }
    }
  }

  bool PastDeadline() {
    const Json* seconds = FindField(job_, {"spec", "activeDeadlineSeconds"});
    std::optional<Timestamp> start = TimeAt(plan_.status, {"startTime"});
    if (seconds == nullptr || !start) return false;
    Timestamp end = *start + std::chrono::seconds(seconds->get<std::int64_t>());
    if (end > now_) LookAgain(end);
    return end <= now_;
  }

  void CreatePods() {
    if (failed_ > 0) {
      Timestamp next = last_failure_ + std::chrono::duration_cast<std::chrono::seconds>(ExponentialDelay(
                                           kInitialDelay, kLongestDelay, static_cast<int>(failed_) - 1));
      if (next > now_) return LookAgain(next);
    }
    std::int64_t wanted = std::min(IntegerAt(job_, {"spec", "parallelism"}, 1), completions_ - succeeded_);
    for (auto i = static_cast<std::int64_t>(active_.size()); i < wanted; ++i) {
      Json pod = PodFromTemplate(job_, ControllerReference("batch/v1", "Job", job_));
      pod["metadata"]["name"] = RandomName(NameOf(job_) + "-");
      plan_.pods.push_back(std::move(pod));
    }
    for (auto i = wanted; i < static_cast<std::int64_t>(active_.size()); ++i) {
      plan_.pods_to_delete.push_back(NameOf(*active_[static_cast<std::size_t>(i)]));
    }
  }

  void Finish(const char* type, const char* reason, const std::string& message) {
    StopActive();
    std::string time = TimeText(now_);
    Json& conditions = plan_.status["conditions"];
    if (!conditions.is_array()) conditions = Json::array();
    conditions.push_back({{"type", type},
                          {"status", "True"},
                          {"reason", reason},
                          {"message", message},
                          {"lastProbeTime", time},
                          {"lastTransitionTime", time}});
  }

  void StopActive() {
    for (const Json* each : active_) plan_.pods_to_delete.push_back(NameOf(*each));
    active_.clear();
  }

  void Expire(const Json& finished) {
    const Json* seconds = FindField(job_, {"spec", "ttlSecondsAfterFinished"});
    if (seconds == nullptr) return;
    Timestamp end =
        TimeAt(finished, {"lastTransitionTime"}).value_or(now_) + std::chrono::seconds(seconds->get<std::int64_t>());
    plan_.delete_job = end <= now_;
    if (!plan_.delete_job) LookAgain(end);
  }

  void LookAgain(Timestamp when) {
    if (!plan_.look_again || when < *plan_.look_again) plan_.look_again = when;
  }

  const Json& job_;
  const Timestamp now_;
  const std::int64_t completions_;
  std::vector<const Json*> active_;
  std::int64_t succeeded_ = 0;
  std::int64_t failed_ = 0;
  std::int64_t restarts_ = 0;
  Timestamp last_failure_{};
  std::string lost_;  // why another try is not worth it
  JobPlan plan_;
};

}  // namespace

JobPlan PlanJob(const Json& job, const std::vector<Json>& pods, Timestamp now) {
  return Planner(job, pods, now).Plan();
}

}  // namespace holdfast::local
