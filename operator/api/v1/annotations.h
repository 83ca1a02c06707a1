// What people ask of the operator by annotating a StorageCluster. Pure.
#pragma once

#include "operator/api/v1/field.h"

namespace holdfast::api {

// While it is there, with any value but "false", the operator writes nothing but the status: whoever sets it means to.
// What is deleted stays until it goes, too.
inline constexpr char kPausedAnnotation[] = "storage.holdfast.dev/paused";
// The pod that is to become primary, or "" for whichever standby Patroni finds best. Taken away when the switchover is
// over, whatever came of it.
inline constexpr char kSwitchoverAnnotation[] = "storage.holdfast.dev/switchover";
// Any value that has not been carried out before: whatever logs in to PostgreSQL backends, the servers themselves
// included, gets new passwords.
inline constexpr char kRotatePasswordsAnnotation[] = "storage.holdfast.dev/rotate-passwords";

bool IsPaused(const Json& cluster_object);

}  // namespace holdfast::api
