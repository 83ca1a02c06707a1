#include "operator/service_access/call.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::service_access {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxAnswerBytes = 1u << 20;
constexpr std::size_t kMaxDetail = 512;
constexpr int kClientErrors = 400;
constexpr int kTooManyRequests = 429;
constexpr int kServerErrors = 500;
constexpr int kNotImplemented = 501;

}  // namespace

Result<http::ClientResponse> Call(const Endpoint& service, const http::ClientRequest& request, Deadline deadline) {
  http::ClientOptions options;
  options.base_url = service.base_url;
  options.server_name = service.server_name;
  options.ca_pem = service.authority;
  options.client_certificate_pem = service.certificate;
  options.client_key_pem = service.key;
  options.max_response_bytes = kMaxAnswerBytes;
  if (!service.token.empty()) options.bearer_token = [token = service.token] { return token; };
  http::HttpClient client(std::move(options));
  return client.Send(request, deadline);
}

std::string DetailOf(const http::ClientResponse& response) {
  const Json problem = Json::parse(response.body, nullptr, false);
  const Json detail = problem.is_object() ? problem.value("detail", Json()) : Json();
  const std::string text = detail.is_string() ? detail.get<std::string>() : std::string();
  return text.empty() ? "it answers " + std::to_string(response.status) : text.substr(0, kMaxDetail);
}

bool IsRefusal(int status) {
  return status == kNotImplemented || (status >= kClientErrors && status < kServerErrors && status != kTooManyRequests);
}

}  // namespace holdfast::service_access
