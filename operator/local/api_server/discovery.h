// What clients ask before they ask for objects: versions, groups, resources, and as much OpenAPI as makes kubectl skip
// its own validation (the server validates). Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/local/api_server/resource_registry.h"

namespace holdfast::local {

struct Document {
  std::string content_type;
  std::string body;
};

// `path` without its query, split at slashes; nothing when it is no discovery path or its group is not served.
std::optional<Document> DiscoveryDocument(const ResourceRegistry& registry, const std::vector<std::string>& path);

}  // namespace holdfast::local
