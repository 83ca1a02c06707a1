// Where an object or a collection is, as a request path: /api/v1/... for the core group, /apis/<group>/<version>/...
// for the others.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result/result.h"
#include "operator/kube/object.h"

namespace holdfast::kube {

// An empty namespace is the collection over all namespaces, or the one of a cluster-scoped kind.
Result<std::string> CollectionPath(const ResourceKind& kind, const std::string& ns);
// kInvalidArgument when the name, or the namespace of a namespaced kind, is missing or could leave its place in the
// path: a DELETE with an empty name would be one of the whole collection.
Result<std::string> ObjectPath(const ResourceKind& kind, const ObjectKey& key, std::string_view subresource = {});

// "?a=1&b=2", values percent-encoded; empty when there are none.
std::string QueryString(const std::vector<std::pair<std::string, std::string>>& parameters);

// "statefulsets.apps prod/main", for messages.
std::string Describe(const ResourceKind& kind, const ObjectKey& key);

}  // namespace holdfast::kube
