// An entry as lists and watches show it.
#pragma once

#include <string_view>

#include "service/json/document_writer.h"
#include "service/storage/types.h"

namespace holdfast::api {

// {"key","etag","size",...}; where the format has no bytes and key or value are no UTF-8, both are base64.
// `value_bytes`: the size to tell, since the entry may come without its value.
void WriteItem(std::string_view key, const storage::Entry& entry, std::size_t value_bytes, bool with_value,
               json::DocumentWriter* out);

// What keys of a list have in common: a string, or {"prefix","encoding":"base64"} where it is no UTF-8 and the format
// has no bytes.
void WriteCommonPrefix(std::string_view prefix, json::DocumentWriter* out);

}  // namespace holdfast::api
