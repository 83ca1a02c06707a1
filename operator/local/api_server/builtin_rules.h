// What the real server fills in and insists on for its built-in kinds, as far as an operator of ours meets it. Compared
// with kube-apiserver 1.34; kinds have many more rules than stand here. Pure.
#pragma once

#include <vector>

#include "operator/local/api_server/api_error.h"
#include "operator/local/api_server/resource_registry.h"

namespace holdfast::local {

// Defaults for an object about to be stored; `live` is null for a new one.
void ApplyBuiltinDefaults(const ResourceType& type, const Json& live, Json* object);
// metadata of every kind (name, labels), and the rules of the built-in ones. `live` is null for a new object.
std::vector<FieldError> ValidateObject(const ResourceType& type, const Json& live, const Json& object);

}  // namespace holdfast::local
