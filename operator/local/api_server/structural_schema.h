// Structural schemas of custom resources: pruning, defaulting, validation. x-kubernetes-validations (CEL) are not
// evaluated here; the operator's own validation says the same things in status. Pure.
// Source: kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions.
#pragma once

#include <string>
#include <vector>

#include "operator/local/api_server/api_error.h"

namespace holdfast::local {

// Removes what the schema does not declare, apiVersion, kind and metadata at the root excepted; the removed paths.
std::vector<std::string> PruneUnknownFields(Json& object, const Json& schema);
void ApplySchemaDefaults(Json& value, const Json& schema);
std::vector<FieldError> ValidateAgainstSchema(const Json& object, const Json& schema);

}  // namespace holdfast::local
