#include "service/backends/postgres/entry_row.h"

#include <fmt/format.h>

#include <charconv>

#include "service/backends/postgres/array_codec.h"

namespace holdfast::storage::postgres {
namespace {

enum Column { kVersion, kCreatedAt, kUpdatedAt, kExpiresAt, kContentType, kMetadata, kTags, kValue };

Error Unreadable(const pqxx::field& field) {
  return {ErrorCode::kCorruption, fmt::format("column {} of an entry is not what this program writes", field.name())};
}

// Null is what an empty attribute is stored as.
Status Assign(const pqxx::field& field, std::string& to) {
  if (field.is_null()) return {};
  HOLDFAST_ASSIGN_OR_RETURN(to, BytesOf(field));
  return {};
}

}  // namespace

Result<std::int64_t> NumberOf(const pqxx::field& field) {
  const std::string_view text(field.c_str(), field.size());
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return Unreadable(field);
  return number;
}

Result<std::string> BytesOf(const pqxx::field& field) {
  std::optional<std::string> bytes = DecodeBytea({field.c_str(), field.size()});
  if (!bytes) return Unreadable(field);
  return std::move(*bytes);
}

Result<EntryPtr> EntryOf(const pqxx::row& row, int first) {
  const auto column = [&](Column which) { return row[first + which]; };
  if (column(kVersion).is_null()) return EntryPtr();
  auto entry = std::make_shared<Entry>();
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t version, NumberOf(column(kVersion)));
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t created_at, NumberOf(column(kCreatedAt)));
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t updated_at, NumberOf(column(kUpdatedAt)));
  entry->version = static_cast<Version>(version);
  entry->created_at = TimeOf(created_at);
  entry->updated_at = TimeOf(updated_at);
  if (const pqxx::field expires_at = column(kExpiresAt); !expires_at.is_null()) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t microseconds, NumberOf(expires_at));
    entry->expires_at = TimeOf(microseconds);
  }
  HOLDFAST_RETURN_IF_ERROR(Assign(column(kContentType), entry->content_type));
  HOLDFAST_RETURN_IF_ERROR(Assign(column(kMetadata), entry->metadata));
  HOLDFAST_RETURN_IF_ERROR(Assign(column(kValue), entry->value));
  if (const pqxx::field tags = column(kTags); !tags.is_null()) {
    std::optional<std::vector<std::string>> list = DecodeByteaList({tags.c_str(), tags.size()});
    if (!list) return Unreadable(tags);
    entry->tags = std::move(*list);
  }
  return EntryPtr(std::move(entry));
}

}  // namespace holdfast::storage::postgres
