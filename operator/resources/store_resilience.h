// stores[].resilience in the service's words: the rows "stores.<name>.resilience.*" of docs/configuration.md.
#pragma once

#include "operator/kube/object.h"

namespace holdfast::resources {

// `resilience` as in the spec, and valid.
kube::Json ResilienceSettings(const kube::Json& resilience);

}  // namespace holdfast::resources
