// Finalizers: who has to be done with an object before it goes. Pure.
#pragma once

#include <string_view>

#include "operator/kube/object.h"

namespace holdfast::kube {

bool HasFinalizer(const Json& object, std::string_view finalizer);
// The merge patch that adds or removes it and keeps the others; carries the object's uid and resourceVersion.
Json AddFinalizerPatch(const Json& object, std::string_view finalizer);
Json RemoveFinalizerPatch(const Json& object, std::string_view finalizer);

}  // namespace holdfast::kube
