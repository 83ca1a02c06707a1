#include "operator/kube/resource_path.h"

#include "base/http/http_client.h"

namespace holdfast::kube {
namespace {

// What the API server itself refuses in a path segment (apimachinery, path.IsValidPathSegmentName).
Status CheckSegment(std::string_view what, const std::string& value) {
  if (value.empty()) return Error(ErrorCode::kInvalidArgument, std::string(what) + " is missing");
  if (value == "." || value == ".." || value.find_first_of("/%") != std::string::npos) {
    return Error(ErrorCode::kInvalidArgument,
                 std::string(what) + " \"" + value + "\" must not be . or .. nor hold / or %");
  }
  return {};
}

}  // namespace

Result<std::string> CollectionPath(const ResourceKind& kind, const std::string& ns) {
  std::string path = kind.group.empty() ? "/api/" + kind.version : "/apis/" + kind.group + "/" + kind.version;
  if (!ns.empty()) {
    if (!kind.namespaced) {
      return Error(ErrorCode::kInvalidArgument,
                   kind.plural + " are cluster-scoped; namespace \"" + ns + "\" was given");
    }
    HOLDFAST_RETURN_IF_ERROR(CheckSegment("the namespace", ns));
    path.append("/namespaces/").append(http::PercentEncode(ns));
  }
  return path.append("/").append(kind.plural);
}

Result<std::string> ObjectPath(const ResourceKind& kind, const ObjectKey& key, std::string_view subresource) {
  if (kind.namespaced) HOLDFAST_RETURN_IF_ERROR(CheckSegment("the namespace", key.ns));
  HOLDFAST_RETURN_IF_ERROR(CheckSegment("the name", key.name));
  HOLDFAST_ASSIGN_OR_RETURN(std::string path, CollectionPath(kind, key.ns));
  path.append("/").append(http::PercentEncode(key.name));
  if (!subresource.empty()) path.append("/").append(subresource);
  return path;
}

std::string QueryString(const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string query;
  for (const auto& [name, value] : parameters) {
    query.append(query.empty() ? "?" : "&").append(name).append("=").append(http::PercentEncode(value));
  }
  return query;
}

std::string Describe(const ResourceKind& kind, const ObjectKey& key) {
  std::string text = kind.plural;
  if (!kind.group.empty()) text.append(".").append(kind.group);
  if (!key.name.empty()) return text.append(" ").append(key.ToString());
  if (!key.ns.empty()) text.append(" in namespace ").append(key.ns);
  return text;
}

}  // namespace holdfast::kube
