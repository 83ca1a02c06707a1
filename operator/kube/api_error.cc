#include "operator/kube/api_error.h"

#include <array>
#include <string>

namespace holdfast::kube {
namespace {

constexpr std::size_t kQuotedBodyBytes = 256;

bool HasCause(const Json& status, std::string_view reason) {
  const Json::json_pointer path("/details/causes");
  if (!status.contains(path) || !status.at(path).is_array()) return false;
  for (const Json& cause : status.at(path)) {
    if (StringAt(cause, "/reason") == reason) return true;
  }
  return false;
}

bool IsTooLargeResourceVersion(const Json& status) {
  return HasCause(status, "ResourceVersionTooLarge") ||
         StringAt(status, "/message").find("Too large resource version") != std::string::npos;
}

// The API server gave up waiting for etcd: the write may still be carried out. Other 500s say what was refused.
bool IsUndecidedByEtcd(std::string_view message) {
  constexpr std::array<std::string_view, 3> kUndecided{"etcdserver: request timed out", "etcdserver: leader changed",
                                                       "context deadline exceeded"};
  for (const std::string_view text : kUndecided) {
    if (message.find(text) != std::string_view::npos) return true;
  }
  return false;
}

ErrorCode CodeOf(int http_status, const Json& status, bool write) {
  const std::string reason = StringAt(status, "/reason");
  switch (http_status) {
    case 400:
    case 422:
      return ErrorCode::kInvalidArgument;
    case 401:
    case 403:
    case 410:
      return ErrorCode::kFailedPrecondition;
    case 404:
      return ErrorCode::kNotFound;
    case 405:
    case 406:
    case 415:
      return ErrorCode::kNotSupported;
    case 409:
      return reason == "AlreadyExists" ? ErrorCode::kAlreadyExists : ErrorCode::kVersionConflict;
    case 413:
      return ErrorCode::kResourceExhausted;
    case 429:
      return ErrorCode::kUnavailable;
    default:
      break;
  }
  if (reason == "Expired" || reason == "Gone" || IsTooLargeResourceVersion(status)) {
    return ErrorCode::kFailedPrecondition;
  }
  if (http_status >= 400 && http_status < 500) return ErrorCode::kInvalidArgument;
  // Neither success nor a refusal by this server: redirects and the like from something in between.
  if (http_status < 500) return ErrorCode::kUnavailable;
  if (write && (http_status == 504 || reason == "Timeout" || IsUndecidedByEtcd(StringAt(status, "/message")))) {
    return ErrorCode::kOutcomeUnknown;
  }
  return ErrorCode::kUnavailable;
}

// What a person can do about a refusal that no repetition mends; empty for any other.
std::string_view RemedyOf(int http_status, const Json& status) {
  const std::string message = StringAt(status, "/message");
  switch (http_status) {
    case 401:
      return "renew the token or the certificate of the kubeconfig, or name another with --context";
    case 403:
      // So RBAC refuses; quotas, admission plugins and namespaces that are going say what they want in their own words.
      if (message.find("User ") == std::string::npos || message.find(" cannot ") == std::string::npos) return {};
      return "give that account the right: the operator's come with the chart (rbac.create) or from `holdfast-operator "
             "rbac`, a person's from a RoleBinding to the ClusterRole view, edit or admin";
    case 404:
      // An object that is not there is told of by a Status with details, a kind that is not served by plain text.
      if (status.contains("details") || !StringAt(status, "/reason").empty()) return {};
      return "if this is a Kubernetes API server, Holdfast's definitions are missing there: helm upgrade --install "
             "brings "
             "them (crds.install), or kubectl apply --server-side -f crds/";
    default:
      return {};
  }
}

std::string Words(int http_status, const Json& status, std::string_view body) {
  std::string words = StringAt(status, "/message");
  if (words.empty()) {
    // Something in between, a proxy perhaps, answered in its own words.
    words = body.substr(0, kQuotedBodyBytes);
    for (char& c : words) {
      if (static_cast<unsigned char>(c) < ' ') c = ' ';
    }
    words.erase(words.find_last_not_of(' ') + 1);
  }
  const std::string reason = StringAt(status, "/reason");
  words.append(words.empty() ? "" : " ").append("(HTTP ").append(std::to_string(http_status));
  if (!reason.empty()) words.append(" ").append(reason);
  words.append(")");
  if (const std::string_view remedy = RemedyOf(http_status, status); !remedy.empty()) {
    words.append("; ").append(remedy);
  }
  return words;
}

}  // namespace

Error ErrorFromResponse(int http_status, std::string_view body, bool write) {
  Json status = Json::parse(body, nullptr, false);
  if (!status.is_object()) status = Json::object();
  return {CodeOf(http_status, status, write), Words(http_status, status, body)};
}

Error ErrorFromStatus(const Json& status) {
  const auto found = status.is_object() ? status.find("code") : status.end();
  const int code = found != status.end() && found->is_number_integer() ? found->get<int>() : 500;
  return {CodeOf(code, status, false), Words(code, status, {})};
}

Error ErrorFromTransport(Error error, bool write) {
  switch (error.code()) {
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kOutcomeUnknown:
    case ErrorCode::kResourceExhausted:  // the answer was too long to be read
      if (write) {
        return Error(ErrorCode::kOutcomeUnknown, error.message() + "; the write may have been carried out");
      }
      return error.code() == ErrorCode::kOutcomeUnknown ? Error(ErrorCode::kUnavailable, error.message())
                                                        : std::move(error);
    default:
      return error;
  }
}

}  // namespace holdfast::kube
