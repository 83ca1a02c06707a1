#include "operator/local/process_runner/container_run.h"

#include <fmt/format.h>

#include <csignal>

#include "base/time/backoff.h"
#include "operator/local/api_server/admission.h"

namespace holdfast::local {
namespace {

constexpr std::chrono::seconds kInitialDelay{10};
constexpr std::chrono::minutes kLongestDelay{5};
// How soon a container that could not be described (a ConfigMap is missing) is tried again.
constexpr std::chrono::seconds kDescribeAgain{1};

// As the kubelet.
constexpr std::uintmax_t kTerminationMessageBytes = 2048;

std::string SignalName(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? std::to_string(signal) : "SIG" + std::string(name);
}

}  // namespace

ContainerRun::ContainerRun(const Json& pod, const Json& container, std::string restart_policy, const Clock& clock)
    : container_(container),
      restart_policy_(std::move(restart_policy)),
      grace_(IntegerAt(pod, {"spec", "terminationGracePeriodSeconds"}, 30)),
      clock_(clock) {
  state_.name = TextAt(container, {"name"});
  state_.image = TextAt(container, {"image"});
}

bool ContainerRun::WantsToStart(MonotonicTime now) const {
  return !process_ && !done_ && now >= start_at_;
}

void ContainerRun::Start(const Result<ContainerPlan>& plan, const std::string& address, const PodLog* log) {
  MonotonicTime now = clock_.Monotonic();
  auto fail = [&](const char* reason, const std::string& message) {
    state_.phase = ContainerState::Phase::kWaiting;
    state_.reason = reason;
    state_.message = message;
    state_.pid = 0;
    start_at_ = now + kDescribeAgain;
  };
  if (!plan.ok()) return fail("CreateContainerConfigError", plan.error().message());
  ProcessSpec spec = plan->process;
  spec.output = log == nullptr ? -1 : log->descriptor();
  if (log != nullptr) log_ = log->path();
  auto process = Process::Start(spec);
  if (!process.ok()) return fail("RunContainerError", process.error().message());

  process_.emplace(std::move(process).value());
  state_.phase = ContainerState::Phase::kRunning;
  state_.reason.clear();
  state_.message.clear();
  state_.pid = process_->pid();
  state_.started_at = ApiTime(clock_);
  was_ready_ = false;
  killed_because_.clear();
  kill_at_.reset();
  auto make = [&](const char* field) -> std::optional<Probe> {
    const Json* specification = FindField(container_, {field});
    if (specification == nullptr) return std::nullopt;
    return Probe(*specification, MakeProbeAttempt(*specification, container_, address, *plan), now);
  };
  startup_ = make("startupProbe");
  liveness_ = make("livenessProbe");
  readiness_ = make("readinessProbe");
  state_.started = !startup_;
  state_.ready = state_.started && !readiness_;
}

void ContainerRun::Tick(MonotonicTime now) {
  if (!process_) {
    if (!done_ && state_.phase == ContainerState::Phase::kTerminated && crashes_ > 1) {
      // The end itself has been shown; what matters now is that it waits.
      state_.last_state = TerminatedState(state_);
      state_.phase = ContainerState::Phase::kWaiting;
      state_.reason = "CrashLoopBackOff";
      auto delay = std::chrono::duration_cast<std::chrono::seconds>(
          ExponentialDelay(kInitialDelay, kLongestDelay, crashes_ - 2));
      state_.message = fmt::format("back-off {}s restarting failed container {}", delay.count(), state_.name);
    }
    return;
  }
  if (auto exit = process_->Poll()) return Ended(*exit, now);
  if (kill_at_ && now >= *kill_at_) process_->Signal(SIGKILL);
  if (killed_because_.empty()) RunProbes(now);
  was_ready_ = was_ready_ || state_.ready;
}

void ContainerRun::RunProbes(MonotonicTime now) {
  if (startup_ && !state_.started) {
    startup_->Tick(now);
    if (startup_->verdict() == Probe::Verdict::kFailure) return KillFor("startup", *startup_);
    if (startup_->verdict() != Probe::Verdict::kSuccess) return;
    state_.started = true;
    state_.ready = !readiness_;
  }
  if (liveness_) {
    liveness_->Tick(now);
    if (liveness_->verdict() == Probe::Verdict::kFailure) return KillFor("liveness", *liveness_);
  }
  if (readiness_) {
    readiness_->Tick(now);
    state_.ready = readiness_->verdict() == Probe::Verdict::kSuccess;
  }
}

void ContainerRun::KillFor(const char* probe, const Probe& failed) {
  killed_because_ = fmt::format("{} probe failed: {}", probe, failed.last_failure());
  state_.ready = false;
  kill_at_ = clock_.Monotonic() + grace_;
  process_->Signal(SIGTERM);
}

void ContainerRun::Ended(const ProcessExit& exit, MonotonicTime now) {
  process_.reset();
  state_.phase = ContainerState::Phase::kTerminated;
  state_.exit_code = exit.code;
  state_.signal = exit.signal;
  state_.reason = exit.code == 0 ? "Completed" : "Error";
  state_.message = killed_because_;
  if (exit.signal != 0 && killed_because_.empty()) state_.message = "killed by " + SignalName(exit.signal);
  if (exit.code != 0 && TextAt(container_, {"terminationMessagePolicy"}) == "FallbackToLogsOnError") {
    state_.message = TailOf(log_, kTerminationMessageBytes);
  }
  state_.finished_at = ApiTime(clock_);
  state_.ready = false;
  state_.started = false;
  done_ = !RestartsAfter(exit.code);
  if (done_) return;
  // Without a readiness probe everything that runs is ready; then only an end from outside says nothing against it.
  bool worked = was_ready_ && (readiness_ || exit.signal != 0);
  crashes_ = worked ? 1 : crashes_ + 1;
  state_.last_state = TerminatedState(state_);
  ++state_.restarts;
  start_at_ = crashes_ <= 1 ? now : now + ExponentialDelay(kInitialDelay, kLongestDelay, crashes_ - 2);
}

bool ContainerRun::RestartsAfter(int exit_code) const {
  return restart_policy_ == "Always" || (restart_policy_ == "OnFailure" && exit_code != 0);
}

void ContainerRun::Signal(int signal) {
  if (process_) process_->Signal(signal);
}

}  // namespace holdfast::local
