#include "operator/local/api_server/discovery.h"

#include <algorithm>
#include <map>
#include <set>

namespace holdfast::local {
namespace {

Document JsonDocument(const Json& json) {
  return {"application/json", json.dump()};
}

Json ResourceEntry(const ResourceType& type) {
  Json entry = {{"name", type.kind.plural},
                {"singularName", type.singular},
                {"namespaced", type.kind.namespaced},
                {"kind", type.kind.kind},
                {"verbs", {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}}};
  if (!type.short_names.empty()) entry["shortNames"] = type.short_names;
  if (!type.categories.empty()) entry["categories"] = type.categories;
  return entry;
}

Json SubresourceEntry(const ResourceType& type, const std::string& name, Json verbs) {
  return {{"name", type.kind.plural + "/" + name},
          {"singularName", ""},
          {"namespaced", type.kind.namespaced},
          {"kind", type.kind.kind},
          {"verbs", std::move(verbs)}};
}

Json ResourceList(const ResourceRegistry& registry, const std::string& group, const std::string& version) {
  Json resources = Json::array();
  for (const ResourceTypePtr& type : registry.All()) {
    if (type->kind.group != group || type->kind.version != version) continue;
    resources.push_back(ResourceEntry(*type));
    if (type->status_subresource) resources.push_back(SubresourceEntry(*type, "status", {"get", "patch", "update"}));
    if (type->scale) {
      Json scale = SubresourceEntry(*type, "scale", {"get", "patch", "update"});
      scale["kind"] = "Scale";
      scale["group"] = "autoscaling";
      scale["version"] = "v1";
      resources.push_back(std::move(scale));
    }
    if (type->kind.kind == "Pod" && !type->custom) {
      resources.push_back(SubresourceEntry(*type, "log", Json::array({"get"})));
      resources.push_back(SubresourceEntry(*type, "binding", Json::array({"create"})));
    }
  }
  return {{"kind", "APIResourceList"},
          {"apiVersion", "v1"},
          {"groupVersion", group.empty() ? version : group + "/" + version},
          {"resources", std::move(resources)}};
}

Json GroupEntry(const std::string& group, const std::set<std::string>& versions) {
  Json list = Json::array();
  for (const std::string& version : versions) {
    list.push_back({{"groupVersion", group + "/" + version}, {"version", version}});
  }
  Json preferred = list.front();
  return {{"name", group}, {"versions", std::move(list)}, {"preferredVersion", std::move(preferred)}};
}

std::map<std::string, std::set<std::string>> Groups(const ResourceRegistry& registry) {
  std::map<std::string, std::set<std::string>> groups;
  for (const ResourceTypePtr& type : registry.All()) {
    if (!type->kind.group.empty()) groups[type->kind.group].insert(type->kind.version);
  }
  return groups;
}

Json GroupList(const ResourceRegistry& registry) {
  Json groups = Json::array();
  for (const auto& [group, versions] : Groups(registry)) groups.push_back(GroupEntry(group, versions));
  return {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(groups)}};
}

Json CoreVersions() {
  return {{"kind", "APIVersions"}, {"versions", Json::array({"v1"})}, {"serverAddressByClientCIDRs", Json::array()}};
}

Json Version() {
  return {{"major", "1"},        {"minor", "34"},      {"gitVersion", "v1.34.0-holdfast-local"},
          {"gitCommit", ""},     {"gitTreeState", ""}, {"buildDate", "1970-01-01T00:00:00Z"},
          {"goVersion", "none"}, {"compiler", "none"}, {"platform", "local/any"}};
}

// kubectl asks for a gnostic openapi.v2.Document in protobuf only: swagger = 1, info = 2 {title = 1, version = 2}.
Document OpenApiV2() {
  std::string body =
      "\x0a\x03"
      "2.0"
      "\x12\x12"
      "\x0a\x08"
      "Holdfast"
      "\x12\x06"
      "v1.34.";
  return {"application/com.github.proto-openapi.spec.v2.v1.0+protobuf", std::move(body)};
}

}  // namespace

std::optional<Document> DiscoveryDocument(const ResourceRegistry& registry, const std::vector<std::string>& path) {
  if (path.empty()) {
    return JsonDocument(
        {{"paths",
          {"/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"}}});
  }
  const std::string& first = path[0];
  if (path.size() == 1 && (first == "healthz" || first == "livez" || first == "readyz")) {
    return Document{"text/plain", "ok"};
  }
  if (path.size() == 1 && first == "version") return JsonDocument(Version());
  if (path.size() == 2 && first == "openapi" && path[1] == "v2") return OpenApiV2();
  if (path.size() == 2 && first == "openapi" && path[1] == "v3") return JsonDocument({{"paths", Json::object()}});
  if (path.size() == 1 && first == "api") return JsonDocument(CoreVersions());
  if (path.size() == 2 && first == "api" && path[1] == "v1") return JsonDocument(ResourceList(registry, "", "v1"));
  if (first != "apis") return std::nullopt;
  if (path.size() == 1) return JsonDocument(GroupList(registry));
  auto groups = Groups(registry);
  auto group = groups.find(path[1]);
  if (group == groups.end()) return std::nullopt;
  if (path.size() == 2) {
    Json entry = GroupEntry(group->first, group->second);
    entry["kind"] = "APIGroup";
    entry["apiVersion"] = "v1";
    return JsonDocument(entry);
  }
  if (path.size() == 3 && group->second.contains(path[2])) {
    return JsonDocument(ResourceList(registry, path[1], path[2]));
  }
  return std::nullopt;
}

}  // namespace holdfast::local
