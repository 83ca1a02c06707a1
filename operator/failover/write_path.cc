#include "operator/failover/write_path.h"

#include <fmt/format.h>

#include <future>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/http/http_client.h"

namespace holdfast::failover {
namespace {

constexpr std::size_t kMaxAsked = 3;
constexpr std::size_t kMaxAnswerBytes = 4u << 20;

class ServiceProbe : public WritePathProbe {
 public:
  ServiceProbe(std::shared_ptr<kube::Client> client, std::uint16_t admin_port)
      : client_(std::move(client)), admin_port_(admin_port) {}

  WritePath Probe(const Scope& scope, Deadline deadline) override {
    kube::ListOptions options;
    options.label_selector = "app.kubernetes.io/component=state-service,storage.holdfast.dev/cluster=" + scope.cluster;
    const auto pods = client_->List(kube::kinds::kPod, scope.ns, options, deadline);
    if (!pods.ok()) return WritePath::kUnknown;
    std::vector<std::future<WritePath>> answers;
    for (const kube::Json& pod : pods->items) {
      const std::string address = kube::StringAt(pod, "/status/podIP");
      if (address.empty() || kube::IsBeingDeleted(pod) || answers.size() == kMaxAsked) continue;
      answers.push_back(std::async(
          std::launch::async, [this, address, &scope, deadline] { return Ask(address, scope.backend, deadline); }));
    }
    WritePath verdict = WritePath::kUnknown;
    for (std::future<WritePath>& answer : answers) {
      const WritePath heard = answer.get();
      if (heard == WritePath::kWorks || verdict == WritePath::kUnknown) verdict = heard;
    }
    return verdict;
  }

 private:
  WritePath Ask(const std::string& address, const std::string& backend, Deadline deadline) const {
    http::ClientOptions options;
    const bool brackets = address.find(':') != std::string::npos;
    options.base_url = fmt::format("http://{}{}{}:{}", brackets ? "[" : "", address, brackets ? "]" : "", admin_port_);
    options.max_response_bytes = kMaxAnswerBytes;
    http::HttpClient client(std::move(options));
    const auto response = client.Send({"GET", "/healthz", {}, {}}, deadline);
    return response.ok() ? ParseHealth(response->body, backend) : WritePath::kUnknown;
  }

  const std::shared_ptr<kube::Client> client_;
  const std::uint16_t admin_port_;
};

}  // namespace

WritePath ParseHealth(const std::string& body, const std::string& backend) {
  const auto report = nlohmann::json::parse(body, nullptr, false);
  if (!report.is_object() || !report.contains("backends") || !report.at("backends").is_array()) {
    return WritePath::kUnknown;
  }
  for (const auto& each : report.at("backends")) {
    if (!each.is_object() || each.value("name", nlohmann::json()) != backend) continue;
    const auto status = each.value("status", nlohmann::json());
    if (status == "healthy") return WritePath::kWorks;
    if (status == "unhealthy") return WritePath::kStuck;
  }
  return WritePath::kUnknown;
}

std::shared_ptr<WritePathProbe> MakeServiceProbe(std::shared_ptr<kube::Client> client, std::uint16_t admin_port) {
  return std::make_shared<ServiceProbe>(std::move(client), admin_port);
}

}  // namespace holdfast::failover
