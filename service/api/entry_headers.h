// An entry as an HTTP response.
#pragma once

#include <optional>

#include "service/http/http_message.h"
#include "service/storage/types.h"

namespace holdfast::api {

constexpr std::string_view kDefaultContentType = "application/octet-stream";

// 200 with the value, ETag, Content-Type and whatever else is stored beside it. The value is not copied.
Response EntryResponse(storage::EntryPtr entry);
// ETag, unless the version is 0: what a transaction has written has none before its commit.
void AddETag(storage::Version version, Response* response);
// Holdfast-Expires-At, when there is an expiry.
void AddExpiresAt(const std::optional<Timestamp>& expires_at, Response* response);

}  // namespace holdfast::api
