// A document: one JSON object, and what indexes take from it.
#pragma once

#include <string_view>

#include "base/result/result.h"
#include "service/documents/definition.h"
#include "service/documents/index_value.h"
#include "service/json/json_value.h"
#include "service/query/filter.h"

namespace holdfast::documents {

// Strict (service/json/json_value.h); anything but one object is kInvalidArgument.
Result<json::JsonValue> ParseDocument(std::string_view text);

// What an index on `path` holds for the document; members of arrays are not reached.
IndexValue ValueAt(const json::JsonValue& document, std::string_view path);
// The same, encoded as the index keeps it.
std::string IndexedValue(const Index& index, const json::JsonValue& document);
IndexValue ValueOf(const query::Literal& literal);

// Whether an index path and the path of a comparison lead to the same place.
bool SamePath(std::string_view index_path, const std::vector<std::string>& path);

}  // namespace holdfast::documents
