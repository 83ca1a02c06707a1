// What stands in the credentials of a Redis backend: a password of each user, while a rotation lasts two
// (redis_rotation.h), and the files of users that follow from these.
#pragma once

#include <string>

#include "base/result/result.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/certificates/authority.h"
#include "operator/kube/object.h"

namespace holdfast::storagecluster {

// "" when it is not there.
std::string CredentialFile(const kube::Json& secret, const char* name);

// Makes what passwords are missing, and the files of users anew.
Status CompleteRedisCredentials(const api::BackendSpec& backend, certificates::Files* files);

// Changes of the Secret's `data`, for a merge patch.
Result<kube::Json> WithOtherPasswords(const api::BackendSpec& backend, const kube::Json& secret);  // new ones
kube::Json WithPasswordsSwitched(const api::BackendSpec& backend, const kube::Json& secret);
kube::Json WithoutOtherPasswords(const api::BackendSpec& backend, const kube::Json& secret);

}  // namespace holdfast::storagecluster
