// An item of an import: as a list with `values=true` gives it as a line of JSON or in CBOR (docs/api.md, Lists).
#pragma once

#include <string_view>

#include "base/result/result.h"
#include "service/json/document_writer.h"
#include "service/storage/types.h"

namespace holdfast::service {

// The put that makes the entry what the item says: key, value, content type, metadata, tags and the instant it expires.
// `etag`, `size`, `created_at` and `updated_at` are passed over: a write has its own. `"metadata":{}` is none, as an
// entry without any is listed. kInvalidArgument names the member and what to write.
Result<storage::Operation> ParseImportItem(json::Format format, std::string_view item);

}  // namespace holdfast::service
