// The structural part of server-side apply: which fields a document has, how two documents differ, and merging one
// into the other. Pure. Source: sigs.k8s.io/structured-merge-diff, typed/.
#pragma once

#include <nlohmann/json.hpp>

#include "operator/local/api_server/field_set.h"
#include "operator/local/api_server/field_type.h"

namespace holdfast::local {

// Every leaf of `value`, and every item of lists that are maps or sets.
FieldSet FieldsOf(const Json& value, FieldType type);

struct Difference {
  FieldSet changed;  // added or of another value
  FieldSet removed;
};
// nullptr = absent.
Difference Compare(const Json* before, const Json* after, FieldType type);

// `live` with everything `applied` says laid over it. Items of list maps keep the order of `applied`, those only in
// `live` stay before the common item they preceded.
Json Merge(const Json& live, const Json& applied, FieldType type);

// Takes away what `last` names and `kept` does not: a field with nothing kept below it goes whole, with whatever
// defaults nobody owns inside it.
void Prune(Json& value, const FieldSet& last, const FieldSet& kept, FieldType type);

}  // namespace holdfast::local
