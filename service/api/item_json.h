// An entry as the API writes it into lists and events.
#pragma once

#include <string_view>

#include "service/api/json_writer.h"
#include "service/storage/types.h"

namespace holdfast::api {

// One object: key, ETag, size, times, content type, metadata, tags, and the value where it is wanted. Key and value are
// in base64, and the item says so, when one of those it shows is not valid UTF-8.
void WriteItem(std::string_view key, const storage::Entry& entry, std::size_t value_bytes, bool with_value,
               JsonWriter* json);

}  // namespace holdfast::api
