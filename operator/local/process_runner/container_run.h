// One container of a pod over its lives: started, probed, restarted after a crash with the kubelet's back-off, stopped.
// A run that became ready by its probe, or was ready and killed, is followed by a restart at once, and so is the first
// that was not; from then on the delay is 10 s doubling to 5 min (the kubelet resets it after 10 min instead). Used by
// one thread, which must outlive the process.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/time/clock.h"
#include "operator/local/process_runner/container_plan.h"
#include "operator/local/process_runner/pod_log.h"
#include "operator/local/process_runner/pod_status.h"
#include "operator/local/process_runner/probe.h"
#include "operator/local/process_runner/process.h"

namespace holdfast::local {

class ContainerRun {
 public:
  // `restart_policy` is Always, OnFailure or Never.
  ContainerRun(const Json& pod, const Json& container, std::string restart_policy, const Clock& clock);

  bool WantsToStart(MonotonicTime now) const;
  // `plan` is an error when the container cannot even be described; it then waits and asks again.
  void Start(const Result<ContainerPlan>& plan, const std::string& address, const PodLog* log);
  // Reaps, probes, decides on restarts.
  void Tick(MonotonicTime now);
  // To a running container.
  void Signal(int signal);
  bool running() const { return process_.has_value(); }
  // It has ended and is not started again.
  bool done() const { return done_; }
  const Json& specification() const { return container_; }
  const ContainerState& state() const { return state_; }

 private:
  void Ended(const ProcessExit& exit, MonotonicTime now);
  void RunProbes(MonotonicTime now);
  void KillFor(const char* probe, const Probe& failed);
  bool RestartsAfter(int exit_code) const;

  const Json container_;
  const std::string restart_policy_;
  const std::chrono::seconds grace_;
  const Clock& clock_;
  ContainerState state_;
  std::optional<Process> process_;
  std::optional<Probe> startup_;
  std::optional<Probe> liveness_;
  std::optional<Probe> readiness_;
  std::filesystem::path log_;
  std::string killed_because_;
  std::optional<MonotonicTime> kill_at_;  // a failed probe's SIGTERM becomes SIGKILL then
  MonotonicTime start_at_{};
  bool was_ready_ = false;
  int crashes_ = 0;  // since the last run that became ready
  bool done_ = false;
};

}  // namespace holdfast::local
