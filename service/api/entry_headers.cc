#include "service/api/entry_headers.h"

#include <fmt/format.h>

#include "base/time/duration.h"
#include "service/api/problem.h"
#include "service/json/json_writer.h"

namespace holdfast::api {

Response EntryResponse(storage::EntryPtr entry) {
  Response response;
  response.content_type = entry->content_type.empty() ? kDefaultContentType : std::string_view(entry->content_type);
  AddETag(entry->version, &response);
  // Its time begins with the version.
  if (entry->version != 0) AddExpiresAt(entry->expires_at, &response);
  // Clients read header fields as ASCII or Latin-1; escaped, the document arrives whole.
  if (!entry->metadata.empty()) response.headers.emplace_back("Holdfast-Metadata", json::ToAsciiJson(entry->metadata));
  if (!entry->tags.empty()) {
    response.headers.emplace_back("Holdfast-Tags", fmt::format("{}", fmt::join(entry->tags, ",")));
  }
  response.entry = std::move(entry);
  return response;
}

void AddETag(storage::Version version, Response* response) {
  if (version != 0) response->headers.emplace_back("ETag", ETagOf(version));
}

void AddExpiresAt(const std::optional<Timestamp>& expires_at, Response* response) {
  if (expires_at) response->headers.emplace_back("Holdfast-Expires-At", FormatTimestamp(*expires_at));
}

}  // namespace holdfast::api
