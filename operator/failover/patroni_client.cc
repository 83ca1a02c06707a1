#include "operator/failover/patroni_client.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/http/http_client.h"

namespace holdfast::failover {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxAnswerBytes = 1 << 20;

template <typename Number>
Number NumberAt(const Json& document, const char* pointer) {
  const Json::json_pointer path(pointer);
  if (!document.contains(path) || !document.at(path).is_number_integer()) return 0;
  return document.at(path).get<Number>();
}

std::string TextAt(const Json& document, const char* field) {
  const auto found = document.find(field);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Patroni's server speaks HTTP/1.0, so there is no connection to keep.
class HttpPatroniClient : public PatroniClient {
 public:
  explicit HttpPatroniClient(PatroniClientOptions options) : options_(std::move(options)) {}

  Result<MemberReport> Report(const std::string& address, Deadline deadline) override {
    HOLDFAST_ASSIGN_OR_RETURN(const http::ClientResponse response,
                              ClientFor(address).Send({"GET", "/patroni", {}, {}}, deadline));
    return ParseReport(response.body);
  }

  Status Switchover(const std::string& address, const std::string& leader, const std::string& candidate,
                    Deadline deadline) override {
    Json body = {{"leader", leader}};
    if (!candidate.empty()) body["candidate"] = candidate;
    auto response =
        ClientFor(address).Send({"POST", "/switchover", {{"Content-Type", "application/json"}}, body.dump()}, deadline);
    // Sent, and Patroni still works on it.
    if (!response.ok() && response.error().code() == ErrorCode::kOutcomeUnknown) return {};
    if (!response.ok()) return std::move(response).error();
    if (response->status / 100 == 2) return {};
    return Error(ErrorCode::kFailedPrecondition, fmt::format("Patroni refused the switchover: {}", response->body));
  }

 private:
  http::HttpClient ClientFor(const std::string& address) const {
    http::ClientOptions options;
    const bool brackets = address.find(':') != std::string::npos;
    options.base_url = fmt::format("{}://{}{}{}:{}", options_.ca_pem.empty() ? "http" : "https", brackets ? "[" : "",
                                   address, brackets ? "]" : "", options_.port);
    options.ca_pem = options_.ca_pem;
    options.max_response_bytes = kMaxAnswerBytes;
    return http::HttpClient(std::move(options));
  }

  const PatroniClientOptions options_;
};

}  // namespace

Result<MemberReport> ParseReport(const std::string& body) {
  const Json document = Json::parse(body, nullptr, false);
  MemberReport report;
  if (document.is_object()) report.state = TextAt(document, "state");
  if (report.state.empty()) return Error(ErrorCode::kCorruption, "not an answer of Patroni's GET /patroni");
  const std::string role = TextAt(document, "role");
  report.primary = role == "master" || role == "primary";
  report.timeline = NumberAt<std::int64_t>(document, "/timeline");
  report.received = NumberAt<std::uint64_t>(document, report.primary ? "/xlog/location" : "/xlog/received_location");
  return report;
}

std::shared_ptr<PatroniClient> MakePatroniClient(PatroniClientOptions options) {
  return std::make_shared<HttpPatroniClient>(std::move(options));
}

}  // namespace holdfast::failover
