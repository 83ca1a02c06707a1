// Runs the pods of the API server as processes of this machine: binds them to itself, starts, probes, restarts and
// stops them, tells their status; binds claims and removes their data when they are deleted. The part of scheduler,
// kubelet and volume controllers that our workloads depend on. Pods are contained where the machine allows it (as root,
// or with user namespaces): see Process, PlanRoot and pod_files.h. What is not kept of a pod's specification:
// resources, network, capabilities, seccomp, a read-only root.
//
// Under `root`: volumes/<namespace>/<claim> (kept until the claim is deleted), logs/<namespace>_<pod>.log,
// pods/<uid> (gone with the pod), addresses.json.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "operator/local/process_runner/pod_worker.h"

namespace holdfast::local {

class ProcessRunner {
 public:
  // `api` must outlive it.
  ProcessRunner(ApiServer& api, RunnerOptions options, const Clock& clock = SystemClock());
  // Stops.
  ~ProcessRunner();

  // Stops every pod within its own grace period, all at once, and waits for them. For one thread; a second call does
  // nothing.
  void Stop();
  // The stop in progress, or the next one, does not wait for grace periods.
  void HurryUp() { hurry_ = true; }

  // The end of a pod's log; nothing when it has none.
  std::optional<std::string> PodLogTail(const std::string& ns, const std::string& pod,
                                        std::uintmax_t max_bytes = 1u << 20) const;

 private:
  void Run(std::stop_token stop);
  void Pass();
  void SyncPods();
  void SyncClaims();
  void StopAll();

  ApiServer& api_;
  const RunnerOptions options_;
  ContainmentAbility ability_ = ContainmentAbility::kNone;
  const Clock& clock_;
  AddressBook addresses_;
  std::map<std::string, std::unique_ptr<PodWorker>> workers_;  // by uid; used by the runner's thread only
  std::atomic<bool> hurry_ = false;
  std::jthread thread_;
};

}  // namespace holdfast::local
