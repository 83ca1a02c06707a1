// A pgBackRest repository in an S3-compatible object store, as both postgres.backup and postgres.restoreFrom name one.
#pragma once

#include "operator/api/v1/field.h"
#include "operator/api/v1/storage_cluster.h"

namespace holdfast::api {

Field S3RepositoryFields(std::string description);

// Of `owner`, which is valid and has its defaults; nothing where it has no s3.
std::optional<S3Repository> ReadS3Repository(const Json& owner);

}  // namespace holdfast::api
