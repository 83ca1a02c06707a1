// Whether a live object already carries what we want of it, so that nothing need be written.
#pragma once

#include <optional>
#include <string>

#include "operator/kube/object.h"

namespace holdfast::storagecluster {

// The path of the first field of `desired` that `live` lacks or has otherwise; nothing when there is none. Fields the
// server or others have added do not count. Lists of named things (containers, ports, volumes) are compared by name,
// owner references by uid, other lists position by position; quantities by value ("1000m" is "1").
std::optional<std::string> FirstDifference(const kube::Json& desired, const kube::Json& live);

}  // namespace holdfast::storagecluster
