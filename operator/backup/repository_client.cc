#include "operator/backup/repository_client.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/http/http_client.h"
#include "base/time/duration.h"
#include "operator/resources/names.h"

namespace holdfast::backup {
namespace {

using Json = nlohmann::json;

// A repository of a thousand backups says some 700 bytes of each.
constexpr std::size_t kMaxAnswerBytes = 8 << 20;
constexpr int kConflict = 409;

class HttpRepositoryClient : public RepositoryClient {
 public:
  Result<Report> Ask(const Endpoint& repository, Deadline deadline) override {
    HOLDFAST_ASSIGN_OR_RETURN(const std::string body, State(repository, deadline));
    return ParseReport(body);
  }

  Result<Archiver> AskServer(const Endpoint& server, Deadline deadline) override {
    HOLDFAST_ASSIGN_OR_RETURN(const std::string body, State(server, deadline));
    return ParseArchiver(body);
  }

  Status Begin(const Endpoint& repository, const Step& step, std::chrono::seconds timeout, Deadline deadline) override {
    Json wish = {{"command", "stanza-create"}, {"seconds", timeout.count()}};
    if (step.kind != Step::Kind::kCreateStanza) {
      wish["command"] = "backup";
      wish["type"] = step.kind == Step::Kind::kFull ? "full" : "diff";
      wish["tick"] = FormatTimestamp(step.tick);
    }
    http::Headers headers{{"Host", repository.name}, {"Content-Type", "application/json"}};
    HOLDFAST_ASSIGN_OR_RETURN(
        const http::ClientResponse response,
        ClientFor(repository).Send({"POST", "/begin", std::move(headers), wish.dump()}, deadline));
    if (response.status / 100 == 2 || response.status == kConflict) return {};
    return Error(ErrorCode::kFailedPrecondition, fmt::format("the repository's pod refused: {}", response.body));
  }

 private:
  static Result<std::string> State(const Endpoint& pod, Deadline deadline) {
    HOLDFAST_ASSIGN_OR_RETURN(http::ClientResponse response,
                              ClientFor(pod).Send({"GET", "/state", {{"Host", pod.name}}, {}}, deadline));
    if (response.status == 200) return std::move(response.body);
    return Error(ErrorCode::kUnavailable, fmt::format("status {} of {}", response.status, pod.name));
  }

  static http::HttpClient ClientFor(const Endpoint& pod) {
    const bool brackets = pod.address.find(':') != std::string::npos;
    http::ClientOptions options;
    options.base_url =
        fmt::format("https://{}{}{}:{}", brackets ? "[" : "", pod.address, brackets ? "]" : "", resources::kBackupPort);
    options.ca_pem = pod.tls->authority;
    options.client_certificate_pem = pod.tls->certificate;
    options.client_key_pem = pod.tls->key;
    options.max_response_bytes = kMaxAnswerBytes;
    return http::HttpClient(std::move(options));
  }
};

}  // namespace

std::shared_ptr<RepositoryClient> MakeRepositoryClient() {
  return std::make_shared<HttpRepositoryClient>();
}

}  // namespace holdfast::backup
