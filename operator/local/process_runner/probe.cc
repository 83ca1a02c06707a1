#include "operator/local/process_runner/probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "base/http/http_client.h"
#include "operator/local/process_runner/process.h"
#include "operator/local/process_runner/tcp_connect.h"

namespace holdfast::local {
namespace {

std::chrono::seconds Seconds(const Json& specification, const char* field, std::int64_t otherwise) {
  return std::chrono::seconds(
      std::max<std::int64_t>(IntegerAt(specification, {field}, otherwise), otherwise == 0 ? 0 : 1));
}

// A port by number, or by the name one of the container's ports has.
std::int64_t PortOf(const Json& action, const Json& container) {
  const Json* port = FindField(action, {"port"});
  if (port == nullptr || port->is_number()) return IntegerAt(action, {"port"});
  for (const Json& each : ArrayAt(container, {"ports"})) {
    if (TextAt(each, {"name"}) == TextAt(action, {"port"})) return IntegerAt(each, {"containerPort"});
  }
  return 0;
}

ProbeAttempt HttpAttempt(const Json& action, const Json& container, const std::string& address,
                         std::chrono::seconds timeout) {
  std::string host = TextAt(action, {"host"});
  std::string scheme = TextAt(action, {"scheme"}) == "HTTPS" ? "https" : "http";
  http::ClientOptions options;
  options.base_url = fmt::format("{}://{}:{}", scheme, host.empty() ? address : host, PortOf(action, container));
  options.insecure_skip_tls_verify = true;  // as the kubelet does
  options.connect_timeout = timeout;
  auto client = std::make_shared<http::HttpClient>(std::move(options));
  http::ClientRequest request;
  request.target = TextAt(action, {"path"});
  if (request.target.empty()) request.target = "/";
  request.headers["User-Agent"] = "kube-probe/local";
  for (const Json& header : ArrayAt(action, {"httpHeaders"})) {
    request.headers[TextAt(header, {"name"})] = TextAt(header, {"value"});
  }
  return [client, request, timeout]() -> std::optional<std::string> {
    auto response = client->Send(request, Deadline::After(timeout));
    if (!response.ok()) return response.error().message();
    if (response->status >= 200 && response->status < 400) return std::nullopt;
    return fmt::format("HTTP probe failed with statuscode: {}", response->status);
  };
}

ProbeAttempt ExecAttempt(const Json& action, const ContainerPlan& plan, std::chrono::seconds timeout) {
  std::vector<std::string> command;
  for (const Json& each : ArrayAt(action, {"command"}))
    command.push_back(each.is_string() ? each.get<std::string>() : "");
  return [planned = PlanExec(plan, command), timeout]() -> std::optional<std::string> {
    if (!planned.ok()) return planned.error().message();
    ProcessSpec spec = *planned;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    spec.output = nowhere;
    auto process = Process::Start(spec);
    close(nowhere);
    if (!process.ok()) return process.error().message();
    auto end = std::chrono::steady_clock::now() + timeout;
    while (std::chrono::steady_clock::now() < end) {
      if (auto exit = process->Poll()) {
        if (exit->code == 0) return std::nullopt;
        return fmt::format("command ended with status {}", exit->code);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return "command timed out";
  };
}

}  // namespace

ProbeAttempt MakeProbeAttempt(const Json& specification, const Json& container, const std::string& address,
                              const ContainerPlan& plan) {
  std::chrono::seconds timeout = Seconds(specification, "timeoutSeconds", 1);
  if (const Json* action = FindField(specification, {"httpGet"}))
    return HttpAttempt(*action, container, address, timeout);
  if (const Json* action = FindField(specification, {"exec"})) return ExecAttempt(*action, plan, timeout);
  if (const Json* action = FindField(specification, {"tcpSocket"})) {
    auto port = static_cast<std::uint16_t>(PortOf(*action, container));
    return [address, port, timeout] { return TryTcpConnect(address, port, timeout); };
  }
  return [] { return std::optional<std::string>("only httpGet, tcpSocket and exec probes are run locally"); };
}

Probe::Probe(const Json& specification, ProbeAttempt attempt, MonotonicTime container_started)
    : period_(Seconds(specification, "periodSeconds", 10)),
      success_threshold_(std::max<std::int64_t>(1, IntegerAt(specification, {"successThreshold"}, 1))),
      failure_threshold_(std::max<std::int64_t>(1, IntegerAt(specification, {"failureThreshold"}, 3))),
      attempt_(std::move(attempt)),
      due_(container_started + Seconds(specification, "initialDelaySeconds", 0)) {}

bool Probe::Tick(MonotonicTime now) {
  if (now < due_) return false;
  std::optional<std::string> failure = attempt_();
  due_ = now + period_;
  if (failure) {
    last_failure_ = std::move(*failure);
    successes_ = 0;
    if (++failures_ >= failure_threshold_) verdict_ = Verdict::kFailure;
  } else {
    failures_ = 0;
    if (++successes_ >= success_threshold_) verdict_ = Verdict::kSuccess;
  }
  return true;
}

}  // namespace holdfast::local
