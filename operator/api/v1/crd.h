// The CustomResourceDefinition and the field reference, made from the field tables. Pure and deterministic.
#pragma once

#include <string>

#include "operator/api/v1/field.h"

namespace holdfast::api {

// The OpenAPI v3 schema of one field, structural, with its CEL rules; fit for
// CustomResourceDefinition.spec.versions[].schema.openAPIV3Schema.
Json ToOpenApiSchema(const Field& field);

// The definition of StorageCluster, as `kubectl apply` takes it.
Json StorageClusterDefinition();

// docs/storagecluster.md.
std::string StorageClusterReference();

}  // namespace holdfast::api
