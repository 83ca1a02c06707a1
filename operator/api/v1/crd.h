// The CustomResourceDefinition and the field reference, made from the field tables. Pure and deterministic.
#pragma once

#include <string>
#include <vector>

#include "operator/api/v1/field.h"

namespace holdfast::api {

// The OpenAPI v3 schema of one field, structural, with its CEL rules; fit for
// CustomResourceDefinition.spec.versions[].schema.openAPIV3Schema.
Json ToOpenApiSchema(const Field& field);

// The definition of StorageCluster, as `kubectl apply` takes it.
Json StorageClusterDefinition();

Json StorageMigrationDefinition();
Json StorageBackupDefinition();
Json StorageRestoreDefinition();
// Of every kind, in the order in which they are applied.
std::vector<Json> Definitions();

// docs/storagecluster.md.
std::string StorageClusterReference();
// docs/storagemigration.md.
std::string StorageMigrationReference();
// docs/storagebackup.md, docs/storagerestore.md.
std::string StorageBackupReference();
std::string StorageRestoreReference();

}  // namespace holdfast::api
