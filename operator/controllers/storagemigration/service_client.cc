#include "operator/controllers/storagemigration/service_client.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "operator/service_access/call.h"

namespace holdfast::storagemigration {
namespace {

using Json = nlohmann::json;

using service_access::DetailOf;

constexpr int kOk = 200;

class HttpServiceClient : public ServiceClient {
 public:
  Result<Report> Ask(const Endpoint& service, const std::string& store, Deadline deadline) override {
    HOLDFAST_ASSIGN_OR_RETURN(const http::ClientResponse response, Send(service, "GET", store, "", deadline));
    if (response.status != kOk) return Error(ErrorCode::kUnavailable, DetailOf(response));
    std::optional<Report> report = ParseReport(response.body);
    if (!report) return Error(ErrorCode::kCorruption, "the service's answer about the migration makes no sense");
    return *std::move(report);
  }

  Status Tell(const Endpoint& service, const std::string& store, const std::string& action,
              Deadline deadline) override {
    HOLDFAST_ASSIGN_OR_RETURN(const http::ClientResponse response,
                              Send(service, "POST", store, "?action=" + action, deadline));
    if (response.status == kOk) return {};
    return Error(
        service_access::IsRefusal(response.status) ? ErrorCode::kFailedPrecondition : ErrorCode::kOutcomeUnknown,
        DetailOf(response));
  }

 private:
  static Result<http::ClientResponse> Send(const Endpoint& service, const std::string& method, const std::string& store,
                                           const std::string& query, Deadline deadline) {
    return service_access::Call(service, {method, "/v1/stores/" + store + "/migration" + query, {}, {}}, deadline);
  }
};

}  // namespace

std::shared_ptr<ServiceClient> MakeServiceClient() {
  return std::make_shared<HttpServiceClient>();
}

std::optional<Report> ParseReport(const std::string& body) {
  const Json document = Json::parse(body, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  const auto phase = document.find("phase");
  const auto pending = document.find("pending");
  const auto id = document.find("id");
  const bool named = phase != document.end() && phase->is_string() && id != document.end() && id->is_string() &&
                     pending != document.end() && pending->is_boolean();
  if (!named) return std::nullopt;
  Report report{.phase = phase->get<std::string>(), .pending = pending->get<bool>(), .id = id->get<std::string>()};
  const std::pair<const char*, std::int64_t*> numbers[] = {{"total", &report.total},
                                                           {"copied", &report.copied},
                                                           {"compared", &report.compared},
                                                           {"differences", &report.differences},
                                                           {"instances", &report.instances}};
  for (const auto& [name, value] : numbers) {
    const auto number = document.find(name);
    if (number == document.end() || !number->is_number_integer()) return std::nullopt;
    *value = number->get<std::int64_t>();
  }
  return report;
}

}  // namespace holdfast::storagemigration
