// An entry as an HTTP response.
#pragma once

#include <optional>

#include "service/http/http_message.h"
#include "service/storage/types.h"

namespace holdfast::api {

// 200 with the value, ETag, Content-Type and whatever else is stored beside it. The value is not copied.
Response EntryResponse(storage::EntryPtr entry);
// Holdfast-Expires-At, when there is an expiry.
void AddExpiresAt(const std::optional<Timestamp>& expires_at, Response* response);

}  // namespace holdfast::api
