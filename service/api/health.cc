#include "service/api/health.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log/log.h"
#include "service/api/encoding.h"
#include "service/json/json_writer.h"

namespace holdfast::api {

std::string_view HealthReport::status() const {
  const auto healthy = std::count_if(backends.begin(), backends.end(), [](const auto& b) { return b.healthy; });
  if (healthy == 0) return "unhealthy";
  return static_cast<std::size_t>(healthy) == backends.size() ? "healthy" : "degraded";
}

std::string HealthReport::ToJson() const {
  json::JsonWriter json;
  json.BeginObject().Key("status").String(status()).Key("backends").BeginArray();
  for (const BackendHealth& backend : backends) {
    json.BeginObject().Key("name").String(backend.name);
    json.Key("status").String(backend.healthy ? "healthy" : "unhealthy");
    json.Key("latency_ms").Raw(fmt::format("{:.3f}", static_cast<double>(backend.latency.count()) / 1000));
    if (!backend.error.empty()) {
      json.Key("error").String(IsValidUtf8(backend.error) ? backend.error : Base64Encode(backend.error));
    }
    json.EndObject();
  }
  json.EndArray().EndObject();
  return json.Take();
}

HealthMonitor::HealthMonitor(const std::vector<NamedBackend>& backends, HealthOptions options,
                             metrics::Registry& registry)
    : options_(options) {
  for (const auto& [name, backend] : backends) {
    auto probe = std::make_unique<Probe>();
    probe->name = name;
    probe->backend = backend;
    probe->up = &registry.GetGauge("holdfast_backend_up", "1 when the backend passed its last health check, else 0.",
                                   {{"backend", name}});
    probe->last = {name, false, {}, "not checked yet"};
    probes_.push_back(std::move(probe));
  }
  for (auto& probe : probes_) threads_.emplace_back([this, &probe] { Watch(*probe); });
}

HealthMonitor::~HealthMonitor() {
  Stop();
}

void HealthMonitor::Watch(Probe& probe) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto start = std::chrono::steady_clock::now();
    probe.running_since = start;
    lock.unlock();
    const Status status = probe.backend->CheckHealth(Deadline::After(options_.timeout));
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start);
    lock.lock();
    const bool was_healthy = probe.last.healthy;
    probe.running_since.reset();
    probe.last = {probe.name, status.ok(), took, status.ok() ? "" : status.error().ToString()};
    probe.up->Set(status.ok() ? 1 : 0);
    if (!status.ok() && (was_healthy || !probe.passed_once)) {
      log::Warn("backend is not healthy", {{"backend", probe.name}, {"error", probe.last.error}});
    } else if (status.ok() && !was_healthy && probe.passed_once) {
      log::Info("backend is healthy again", {{"backend", probe.name}});
    }
    probe.passed_once = probe.passed_once || status.ok();
    changed_.notify_all();
    changed_.wait_for(lock, options_.interval, [this] { return stopping_; });
  }
}

HealthReport HealthMonitor::Report() const {
  HealthReport report;
  const auto now = std::chrono::steady_clock::now();
  std::lock_guard lock(mutex_);
  for (const auto& probe : probes_) {
    BackendHealth health = probe->last;
    if (probe->running_since && now - *probe->running_since > options_.timeout) {
      health.healthy = false;
      health.error = fmt::format("a health check has been running for {} s without an answer",
                                 std::chrono::duration_cast<std::chrono::seconds>(now - *probe->running_since).count());
    }
    report.backends.push_back(std::move(health));
  }
  return report;
}

bool HealthMonitor::WaitUntilHealthy(Deadline deadline, const std::set<std::string>& optional) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline.WaitUntil(), [&] {
    return std::all_of(probes_.begin(), probes_.end(),
                       [&](const auto& probe) { return probe->passed_once || optional.contains(probe->name); });
  });
}

void HealthMonitor::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace holdfast::api
