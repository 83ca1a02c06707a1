// Liveness, readiness and startup probes as the kubelet counts them: periods, thresholds, initial delay. Not
// thread-safe; a probe blocks its caller for at most its timeout.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/time/clock.h"
#include "operator/local/api_server/json_access.h"
#include "operator/local/process_runner/container_plan.h"

namespace holdfast::local {

// One try: nothing when it succeeded, else why not. kubelet's rules: HTTP 200–399, a TCP connection, exit status 0.
using ProbeAttempt = std::function<std::optional<std::string>()>;

class Probe {
 public:
  enum class Verdict { kUnknown, kSuccess, kFailure };

  // `specification` is a core/v1 Probe.
  Probe(const Json& specification, ProbeAttempt attempt, MonotonicTime container_started);

  // Tries when it is due; true when it did.
  bool Tick(MonotonicTime now);
  // Changes only when a threshold is reached.
  Verdict verdict() const { return verdict_; }
  const std::string& last_failure() const { return last_failure_; }
  MonotonicTime due() const { return due_; }

 private:
  std::chrono::seconds period_;
  std::int64_t success_threshold_;
  std::int64_t failure_threshold_;
  ProbeAttempt attempt_;
  MonotonicTime due_;
  std::int64_t successes_ = 0;
  std::int64_t failures_ = 0;
  Verdict verdict_ = Verdict::kUnknown;
  std::string last_failure_;
};

// What a probe of this container tries. `address` is the pod's; `plan` is where exec probes run.
ProbeAttempt MakeProbeAttempt(const Json& specification, const Json& container, const std::string& address,
                              const ContainerPlan& plan);

}  // namespace holdfast::local
