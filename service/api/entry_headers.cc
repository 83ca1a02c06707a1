#include "service/api/entry_headers.h"

#include <fmt/format.h>

#include "base/time/duration.h"
#include "service/json/json_writer.h"

namespace holdfast::api {

Response EntryResponse(storage::EntryPtr entry) {
  Response response;
  response.etag = entry->version;
  // Its time begins with the version: what a transaction has written has neither before its commit.
  if (entry->version != 0) AddExpiresAt(entry->expires_at, &response);
  // Clients read header fields as ASCII or Latin-1; escaped, the document arrives whole.
  if (!entry->metadata.empty()) response.headers.emplace_back("Holdfast-Metadata", json::ToAsciiJson(entry->metadata));
  if (!entry->tags.empty()) {
    response.headers.emplace_back("Holdfast-Tags", fmt::format("{}", fmt::join(entry->tags, ",")));
  }
  response.entry = std::move(entry);
  return response;
}

void AddExpiresAt(const std::optional<Timestamp>& expires_at, Response* response) {
  if (expires_at) response->headers.emplace_back("Holdfast-Expires-At", FormatTimestamp(*expires_at));
}

}  // namespace holdfast::api
