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
  explicit HttpPatroniClient(std::uint16_t port) : port_(port) {}

  Result<MemberReport> Report(const PatroniEndpoint& member, Deadline deadline) override {
    HOLDFAST_ASSIGN_OR_RETURN(const http::ClientResponse response,
                              ClientFor(member).Send({"GET", "/patroni", HeadersFor(member), {}}, deadline));
    return ParseReport(response.body);
  }

  Status Switchover(const PatroniEndpoint& member, const std::string& leader, const std::string& candidate,
                    Deadline deadline) override {
    Json body = {{"leader", leader}};
    if (!candidate.empty()) body["candidate"] = candidate;
    http::Headers headers = HeadersFor(member);
    headers["Content-Type"] = "application/json";
    auto response = ClientFor(member).Send({"POST", "/switchover", std::move(headers), body.dump()}, deadline);
    // Sent, and Patroni still works on it.
    if (!response.ok() && response.error().code() == ErrorCode::kOutcomeUnknown) return {};
    if (!response.ok()) return std::move(response).error();
    if (response->status / 100 == 2) return {};
    return Error(ErrorCode::kFailedPrecondition, fmt::format("Patroni refused the switchover: {}", response->body));
  }

 private:
  http::HttpClient ClientFor(const PatroniEndpoint& member) const {
    http::ClientOptions options;
    const bool brackets = member.address.find(':') != std::string::npos;
    options.base_url = fmt::format("{}://{}{}{}:{}", member.tls == nullptr ? "http" : "https", brackets ? "[" : "",
                                   member.address, brackets ? "]" : "", port_);
    if (member.tls != nullptr) {
      options.ca_pem = member.tls->authority;
      options.client_certificate_pem = member.tls->certificate;
      options.client_key_pem = member.tls->key;
    }
    options.max_response_bytes = kMaxAnswerBytes;
    return http::HttpClient(std::move(options));
  }

  // The library holds the certificate against the Host that is asked for, where one is given.
  static http::Headers HeadersFor(const PatroniEndpoint& member) {
    return member.tls == nullptr ? http::Headers() : http::Headers{{"Host", member.name}};
  }

  const std::uint16_t port_;
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
  const auto senders = document.find("replication");
  if (senders == document.end() || !senders->is_array()) return report;
  for (const Json& sender : *senders) {
    if (sender.is_object() && TextAt(sender, "state") == "streaming") {
      report.streaming.push_back(TextAt(sender, "application_name"));
    }
  }
  return report;
}

std::shared_ptr<PatroniClient> MakePatroniClient(std::uint16_t port) {
  return std::make_shared<HttpPatroniClient>(port);
}

}  // namespace holdfast::failover
