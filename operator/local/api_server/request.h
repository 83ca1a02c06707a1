// A request of the Kubernetes API, taken apart: which resource, which object, which options. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/http/http_listener.h"
#include "operator/local/api_server/object_service.h"
#include "operator/local/api_server/resource_registry.h"

namespace holdfast::local {

using Query = std::map<std::string, std::string>;

struct Target {
  std::vector<std::string> path;  // decoded segments
  Query query;
};
// 400 for a malformed escape.
Answer<Target> ParseTarget(std::string_view target);

struct ObjectPath {
  ResourceTypePtr type;
  std::string ns;
  std::string name;  // empty: the collection
  std::string subresource;
};
// Nothing when the group or version is not served at all; an error when it is but the resource is not.
std::optional<Answer<ObjectPath>> ParseObjectPath(const ResourceRegistry& registry,
                                                  const std::vector<std::string>& path);

std::string QueryValue(const Query& query, const std::string& name);
bool QueryFlag(const Query& query, const std::string& name);

// The body as JSON; YAML where its content type says so. 400, 415.
Answer<Json> DecodeBody(const http::ServerRequest& request);
// By content type, without parameters; 415 for one that `type` does not take.
Answer<PatchKind> PatchKindOf(const http::ServerRequest& request, const ResourceType& type);
Answer<WriteOptions> WriteOptionsOf(const http::ServerRequest& request, const Query& query, const ObjectPath& path);
Answer<DeleteOptions> DeleteOptionsOf(const http::ServerRequest& request, const Query& query);

std::string HeaderOf(const http::ServerRequest& request, const std::string& name);
// "kubectl" of "kubectl/v1.32 (linux/amd64)".
std::string ClientNameOf(const http::ServerRequest& request);

}  // namespace holdfast::local
