#include "service/cli/service_client.h"

#include "base/time/duration.h"
#include "service/cli/token_file.h"

namespace holdfast::cli {
namespace {

// Longer than the service's own deadline, so that its answer says what happened.
constexpr std::chrono::seconds kGrace{2};

}  // namespace

Result<ServiceClient> MakeServiceClient(const Arguments& arguments, std::string_view timeout) {
  const auto wrong = [](std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); };
  const auto given = ParseDuration(arguments.Get("--timeout", timeout));
  if (!given.ok() || *given <= std::chrono::microseconds::zero()) {
    return wrong("--timeout is not a duration above zero, like 10s");
  }
  http::ClientOptions options;
  options.base_url = ServiceUrl(arguments, "HOLDFAST_URL", "http://127.0.0.1:8080");
  if (!options.base_url.starts_with("http://") && !options.base_url.starts_with("https://")) {
    return wrong("the URL must begin with http:// or https://");
  }
  HOLDFAST_ASSIGN_OR_RETURN(std::string token, ReadTokenFile(arguments));
  if (!token.empty()) options.bearer_token = [token] { return token; };
  return ServiceClient{std::make_shared<http::HttpClient>(std::move(options)),
                       "/v1/stores/" + http::PercentEncode(arguments.Get("--store", "_default")), *given};
}

Result<http::ClientResponse> Ask(const ServiceClient& service, std::string_view method, const std::string& path,
                                 std::string body) {
  http::ClientRequest request;
  request.method = method;
  request.target = service.store + path;
  request.headers.emplace("Holdfast-Timeout", FormatDuration(service.timeout));
  if (!body.empty()) request.headers.emplace("Content-Type", "application/json");
  request.body = std::move(body);
  return service.client->Send(request, Deadline::After(service.timeout + kGrace));
}

}  // namespace holdfast::cli
