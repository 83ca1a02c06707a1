// The state of the backends, asked in the background so that a probe is answered at once, also when a backend hangs.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/time/deadline.h"
#include "service/storage/backend.h"

namespace holdfast::api {

struct BackendHealth {
  std::string name;
  bool healthy = false;
  std::chrono::microseconds latency{};  // of the last check that ended
  std::string error;                    // empty when healthy
};

struct HealthReport {
  std::vector<BackendHealth> backends;
  // "healthy": all of them. "degraded": some. "unhealthy": none, or there is none.
  std::string_view status() const;
  // {"status":...,"backends":[{"name","status","latency_ms","error"?}]}
  std::string ToJson() const;
};

struct HealthOptions {
  std::chrono::milliseconds interval{2'000};
  // A check that has not ended after this is reported as unhealthy, and goes on.
  std::chrono::milliseconds timeout{5'000};
};

// Thread-safe. One thread per backend: one that hangs does not hide the others.
class HealthMonitor {
 public:
  using NamedBackend = std::pair<std::string, std::shared_ptr<storage::Backend>>;
  // Begins to check at once. Sets holdfast_backend_up{backend}.
  HealthMonitor(const std::vector<NamedBackend>& backends, HealthOptions options, metrics::Registry& registry);
  // Waits for checks that are running.
  ~HealthMonitor();

  HealthReport Report() const;
  // True once every backend but the optional ones has passed a check; false when the deadline comes first.
  bool WaitUntilHealthy(Deadline deadline, const std::set<std::string>& optional = {});
  // No further checks; called before the backends are closed. Idempotent.
  void Stop();

 private:
  struct Probe {
    std::string name;
    std::shared_ptr<storage::Backend> backend;
    metrics::Gauge* up = nullptr;
    // guarded by mutex_
    std::optional<std::chrono::steady_clock::time_point> running_since;
    bool passed_once = false;
    BackendHealth last;
  };
  void Watch(Probe& probe);

  const HealthOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  std::vector<std::unique_ptr<Probe>> probes_;
  std::vector<std::thread> threads_;
};

}  // namespace holdfast::api
