// The rules of stores with a change log, by which they can be restored to a time.
#pragma once

#include "operator/api/v1/field.h"

namespace holdfast::api {

// On stores[]: what a store cannot be beside it.
Rule ChangeArchiveStandsAloneRule();
// On spec.
Rule ChangeArchiveNeedsPlaceRule();

}  // namespace holdfast::api
