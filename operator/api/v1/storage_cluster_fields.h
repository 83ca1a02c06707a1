// The fields of StorageCluster: the one place where names, types, bounds, defaults and rules are written.
#pragma once

#include "operator/api/v1/field.h"

namespace holdfast::api {

// The whole object without apiVersion, kind and metadata: spec and status.
const Field& StorageClusterFields();

}  // namespace holdfast::api
