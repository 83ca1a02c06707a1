// The fields of a store: one backend, or what is composed of two.
#pragma once

#include "operator/api/v1/field.h"

namespace holdfast::api {

// spec.stores.
Field StoresFields();

}  // namespace holdfast::api
