// stores[].resilience: what stands around a store as its clients see it. What one part asks for stands in an object of
// its own, so that nothing of it can be given without it.
#pragma once

#include "operator/api/v1/field.h"

namespace holdfast::api {

Field ResilienceFields();

}  // namespace holdfast::api
