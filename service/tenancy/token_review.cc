#include "service/tenancy/token_review.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/files/read_file.h"
#include "base/http/http_client.h"
#include "service/storage/key_space.h"

namespace holdfast::tenancy {
namespace {

using nlohmann::json;

constexpr std::string_view kServiceAccountPrefix = "system:serviceaccount:";
constexpr std::size_t kMaxCredentialBytes = 1u << 20;
constexpr std::size_t kMaxAnswerBytes = 1u << 20;

Result<std::string> ReadCredential(const std::string& path) {
  if (path.empty()) return std::string();
  Result<std::string> text = files::ReadFile(path, kMaxCredentialBytes);
  if (!text.ok()) return Error(ErrorCode::kUnavailable, text.error().message());
  if (text->empty()) return Error(ErrorCode::kUnavailable, fmt::format("{} is empty", path));
  return text;
}

std::string TextAt(const json& object, const char* member) {
  if (!object.is_object()) return {};
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const json& MemberOf(const json& object, const char* member) {
  static const json none;
  if (!object.is_object()) return none;
  const auto found = object.find(member);
  return found != object.end() ? *found : none;
}

// "system:serviceaccount:team-a:web"
PrincipalPtr ServiceAccount(const std::string& user) {
  if (!user.starts_with(kServiceAccountPrefix)) return nullptr;
  const std::string_view rest = std::string_view(user).substr(kServiceAccountPrefix.size());
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos || colon + 1 == rest.size()) return nullptr;
  const std::string_view name_space = rest.substr(0, colon);
  if (!storage::IsValidNamespace(name_space)) return nullptr;
  return std::make_shared<const Principal>(Principal{user, std::string(name_space), {}});
}

class TokenReviewClient {
 public:
  explicit TokenReviewClient(const TokenReviewOptions& options) : options_(options) {}

  Result<PrincipalPtr> Review(const std::string& token, Deadline deadline) {
    HOLDFAST_ASSIGN_OR_RETURN(const auto client, CurrentClient());
    http::ClientRequest request;
    request.method = "POST";
    request.target = "/apis/authentication.k8s.io/v1/tokenreviews";
    request.headers["Content-Type"] = "application/json";
    request.headers["Accept"] = "application/json";
    HOLDFAST_ASSIGN_OR_RETURN(std::string own, ReadCredential(options_.token_file));
    while (!own.empty() && (own.back() == '\n' || own.back() == '\r' || own.back() == ' ')) own.pop_back();
    if (!own.empty()) {
      own.insert(0, "Bearer ");
      request.headers["Authorization"] = std::move(own);
    }
    json spec = {{"token", token}};
    if (!options_.audience.empty()) spec["audiences"] = {options_.audience};
    request.body = json{{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenReview"}, {"spec", spec}}.dump(
        -1, ' ', false, json::error_handler_t::replace);
    auto answer = client->Send(request, deadline);
    if (!answer.ok()) {
      // A review changes nothing, so an unknown outcome is no outcome.
      return Error(ErrorCode::kUnavailable, answer.error().message());
    }
    if (answer->status != 200 && answer->status != 201) {
      return Error(ErrorCode::kUnavailable,
                   fmt::format("the Kubernetes API answered {} to a TokenReview; the service's own service account "
                               "needs the cluster role system:auth-delegator",
                               answer->status));
    }
    return Read(answer->body);
  }

 private:
  // A client with the authorities that are in the file now.
  Result<std::shared_ptr<http::HttpClient>> CurrentClient() {
    HOLDFAST_ASSIGN_OR_RETURN(std::string ca_pem, ReadCredential(options_.ca_file));
    const std::lock_guard lock(mutex_);
    if (client_ == nullptr || ca_pem != ca_pem_) {
      http::ClientOptions options;
      options.base_url = options_.server;
      options.ca_pem = ca_pem;
      options.max_response_bytes = kMaxAnswerBytes;
      client_ = std::make_shared<http::HttpClient>(std::move(options));
      ca_pem_ = std::move(ca_pem);
    }
    return client_;
  }

  Result<PrincipalPtr> Read(const std::string& body) const {
    const json review = json::parse(body, nullptr, false);
    const json& status = MemberOf(review, "status");
    if (!status.is_object()) {
      return Error(ErrorCode::kUnavailable, "the Kubernetes API answered a TokenReview with something else");
    }
    const json& authenticated = MemberOf(status, "authenticated");
    if (!authenticated.is_boolean() || !authenticated.get<bool>()) return PrincipalPtr();
    // A server that knows no audiences says nothing of them; its word is then no proof that the token is meant for us.
    if (!options_.audience.empty()) {
      const json& audiences = MemberOf(status, "audiences");
      if (!audiences.is_array() ||
          std::find(audiences.begin(), audiences.end(), options_.audience) == audiences.end()) {
        return PrincipalPtr();
      }
    }
    return ServiceAccount(TextAt(MemberOf(status, "user"), "username"));
  }

  const TokenReviewOptions options_;
  std::mutex mutex_;
  std::shared_ptr<http::HttpClient> client_;  // guarded by mutex_
  std::string ca_pem_;                        // guarded by mutex_; what client_ was made with
};

}  // namespace

TokenReview MakeTokenReview(const TokenReviewOptions& options) {
  return [client = std::make_shared<TokenReviewClient>(options)](const std::string& token, Deadline deadline) {
    return client->Review(token, deadline);
  };
}

}  // namespace holdfast::tenancy
