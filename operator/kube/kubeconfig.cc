#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/config/yaml.h"
#include "base/files/read_file.h"
#include "operator/kube/base64.h"
#include "operator/kube/credentials.h"
#include "operator/kube/object.h"
#include "operator/kube/server_url.h"

namespace holdfast::kube {
namespace {

constexpr std::size_t kKubeconfigMaxBytes = 8u << 20;
constexpr std::size_t kPemMaxBytes = 1u << 20;

// What would change who we are or where a request goes, and is not implemented. Ignoring one would be worse than
// failing: the request would be sent as somebody else, or elsewhere.
struct Refused {
  const char* field;
  const char* remedy;
};
constexpr std::array<Refused, 7> kRefusedOfUser{{
    {"exec", "credential plugins are not run; use a client certificate, a token or a tokenFile"},
    {"auth-provider", "credential plugins are not run; use a client certificate, a token or a tokenFile"},
    {"username", "API servers no longer take passwords; use a client certificate or a token"},
    {"password", "API servers no longer take passwords; use a client certificate or a token"},
    {"as", "impersonation is not supported; use the user's own credentials"},
    {"as-groups", "impersonation is not supported; use the user's own credentials"},
    {"as-uid", "impersonation is not supported; use the user's own credentials"},
}};
constexpr std::array<Refused, 2> kRefusedOfCluster{{
    {"proxy-url", "proxies are not supported; name a server that can be reached directly"},
    {"tls-server-name", "it is not supported; name the server as its certificate does"},
}};

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

class Kubeconfig {
 public:
  Kubeconfig(Json document, std::string path) : document_(std::move(document)), path_(std::move(path)) {}

  Result<Credentials> Read(const std::string& wanted_context, const Clock& clock) const {
    const std::string context_name = wanted_context.empty() ? StringAt(document_, "/current-context") : wanted_context;
    if (context_name.empty()) return Invalid("no context was asked for and current-context is not set");
    HOLDFAST_ASSIGN_OR_RETURN(const Json context, Named("contexts", "context", context_name));
    HOLDFAST_ASSIGN_OR_RETURN(const Json cluster, Named("clusters", "cluster", StringAt(context, "/cluster")));
    Credentials credentials;
    HOLDFAST_RETURN_IF_ERROR(ReadCluster(cluster, credentials));
    // A context without a user is allowed: the server may take anonymous requests.
    if (const std::string user_name = StringAt(context, "/user"); !user_name.empty()) {
      HOLDFAST_ASSIGN_OR_RETURN(const Json user, Named("users", "user", user_name));
      const Status status = ReadUser(user, credentials, clock);
      if (!status.ok()) return Error(status.error()).WithContext("user " + user_name);
    }
    if (std::string ns = StringAt(context, "/namespace"); !ns.empty()) credentials.ns = std::move(ns);
    credentials.source = "kubeconfig " + path_ + ", context " + context_name;
    return credentials;
  }

 private:
  // The entry of a list of {name, <member>}.
  Result<Json> Named(const std::string& list, const std::string& member, const std::string& name) const {
    const auto entries = document_.find(list);
    if (entries != document_.end() && entries->is_array()) {
      for (const Json& entry : *entries) {
        if (StringAt(entry, "/name") != name) continue;
        const auto found = entry.find(member);
        return found == entry.end() || !found->is_object() ? Json::object() : *found;
      }
    }
    return Error(ErrorCode::kNotFound, member + " \"" + name + "\" is not in its " + list);
  }

  template <std::size_t kCount>
  Status Refuse(const Json& entry, const std::array<Refused, kCount>& table) const {
    for (const Refused& row : table) {
      const auto found = entry.find(row.field);
      if (found != entry.end() && !found->is_null() && !(found->is_string() && found->empty())) {
        return Error(ErrorCode::kNotSupported, std::string(row.field) + ": " + row.remedy);
      }
    }
    return {};
  }

  std::string Resolve(const std::string& file) const {
    return (std::filesystem::path(path_).parent_path() / file).lexically_normal().string();
  }

  // `<field>-data` in base64, or `<field>` as a path; empty when neither is there. As kubectl does, data wins.
  Result<std::string> Pem(const Json& entry, const std::string& field) const {
    if (const std::string data = StringAt(entry, "/" + field + "-data"); !data.empty()) {
      return Base64Decode(data).WithContext(field + "-data");
    }
    const std::string file = StringAt(entry, "/" + field);
    if (file.empty()) return std::string();
    return files::ReadFile(Resolve(file), kPemMaxBytes).WithContext(field);
  }

  Status ReadCluster(const Json& cluster, Credentials& credentials) const {
    HOLDFAST_RETURN_IF_ERROR(Refuse(cluster, kRefusedOfCluster));
    HOLDFAST_ASSIGN_OR_RETURN(ServerUrl url, ParseServerUrl(StringAt(cluster, "/server")).WithContext("server"));
    credentials.base_url = std::move(url.base);
    credentials.path_prefix = std::move(url.path);
    HOLDFAST_ASSIGN_OR_RETURN(credentials.ca_pem, Pem(cluster, "certificate-authority"));
    credentials.insecure_skip_tls_verify = cluster.value("insecure-skip-tls-verify", Json(false)) == Json(true);
    return {};
  }

  Status ReadUser(const Json& user, Credentials& credentials, const Clock& clock) const {
    HOLDFAST_RETURN_IF_ERROR(Refuse(user, kRefusedOfUser));
    HOLDFAST_ASSIGN_OR_RETURN(credentials.client_certificate_pem, Pem(user, "client-certificate"));
    HOLDFAST_ASSIGN_OR_RETURN(credentials.client_key_pem, Pem(user, "client-key"));
    if (credentials.client_certificate_pem.empty() != credentials.client_key_pem.empty()) {
      return Invalid("client-certificate and client-key go together; one of them is missing");
    }
    // As client-go: the file wins, because it is the one that can be rotated.
    if (const std::string file = StringAt(user, "/tokenFile"); !file.empty()) {
      HOLDFAST_ASSIGN_OR_RETURN(credentials.token, OpenTokenFile(Resolve(file), clock).WithContext("tokenFile"));
    } else if (std::string token = StringAt(user, "/token"); !token.empty()) {
      credentials.token = MakeFixedToken(std::move(token));
    }
    return {};
  }

  const Json document_;
  const std::string path_;
};

}  // namespace

Result<Credentials> LoadKubeconfig(const std::string& path, const std::string& context, const Clock& clock) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::string text,
                            files::ReadFile(path, kKubeconfigMaxBytes).WithContext("kubeconfig"));
  HOLDFAST_ASSIGN_OR_RETURN(std::vector<Json> documents, config::ParseYamlDocuments(text, path));
  if (documents.size() != 1 || !documents.front().is_object()) {
    return Invalid("kubeconfig " + path + " is not one YAML mapping");
  }
  return Kubeconfig(std::move(documents.front()), path).Read(context, clock).WithContext("kubeconfig " + path);
}

}  // namespace holdfast::kube
