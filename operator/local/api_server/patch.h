// The three patch formats besides server-side apply. Pure.
#pragma once

#include "operator/local/api_server/api_error.h"
#include "operator/local/api_server/field_type.h"

namespace holdfast::local {

// RFC 7386.
Json MergePatch(Json target, const Json& patch);
// RFC 6902. 422 when it does not apply, 400 when it is no patch.
Answer<Json> JsonPatch(const Json& target, const Json& patch);
// A merge patch that merges the lists of `type` by key and obeys `$patch: delete|replace` and
// `$deleteFromPrimitiveList`; the ordering directives (`$setElementOrder/...`) and `$retainKeys` are accepted and have
// no effect.
Json StrategicMergePatch(Json target, const Json& patch, FieldType type);

}  // namespace holdfast::local
