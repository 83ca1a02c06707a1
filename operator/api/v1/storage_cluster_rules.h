// The rules of StorageCluster that span several fields, each in CEL and in C++.
#pragma once

#include "operator/api/v1/field.h"

namespace holdfast::api {

Rule ClusterNameRule();                         // on the object
Rule DefaultStoreExistsRule();                  // on spec
Rule OneStorageClassRule();                     // on spec
Rule AutoscalingBoundsRule();                   // on service.autoscaling
Rule OperatorSecretNeedsClientAuthorityRule();  // on service.tls
Rule BackendKeepsItsKindRule();                 // on a backend
Rule StorageOnlyGrowsRule();                    // on a storage
Rule StorageClassIsImmutableRule();             // on a storage
Rule AutogrowHasRoomRule();                     // on a storage

}  // namespace holdfast::api
