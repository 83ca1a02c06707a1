#include "service/import_items.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/time/duration.h"
#include "service/api/encoding.h"
#include "service/api/operation_fields.h"
#include "service/json/binary_reader.h"
#include "service/json/json_value.h"

namespace holdfast::service {
namespace {

using json::JsonValue;
using Kind = JsonValue::Kind;

constexpr std::array<std::string_view, 11> kMembers = {"key",        "encoding",   "etag",       "size",
                                                       "created_at", "updated_at", "expires_at", "content_type",
                                                       "metadata",   "tags",       "value"};

Error Wrong(std::string_view name, std::string_view message) {
  return {ErrorCode::kInvalidArgument, fmt::format("{} {}", name, message)};
}

// nullptr when the member is absent and may be.
Result<JsonValue*> Find(JsonValue& item, std::string_view name, Kind kind, bool needed = false) {
  JsonValue* const value = item.Find(name);
  if (value == nullptr) {
    if (needed) return Wrong(name, "is missing; list with values=true");
    return value;
  }
  if (value->kind != kind) {
    return Wrong(name, fmt::format("is {}; write {}", json::KindName(value->kind), json::KindName(kind)));
  }
  return value;
}

Result<std::string> ReadBytes(JsonValue& item, std::string_view name, bool base64) {
  JsonValue* const bytes_of_cbor = item.Find(name);
  if (bytes_of_cbor != nullptr && bytes_of_cbor->kind == Kind::kBytes && !base64) return std::move(bytes_of_cbor->text);
  HOLDFAST_ASSIGN_OR_RETURN(JsonValue* const value, Find(item, name, Kind::kString, true));
  if (!base64) return std::move(value->text);
  std::optional<std::string> bytes = api::Base64Decode(value->text);
  if (!bytes) return Wrong(name, "is no base64, and encoding says that it is");
  return std::move(*bytes);
}

Result<bool> IsBase64(JsonValue& item) {
  HOLDFAST_ASSIGN_OR_RETURN(const JsonValue* const encoding, Find(item, "encoding", Kind::kString));
  if (encoding == nullptr) return false;
  if (encoding->text != "base64") return Wrong("encoding", "is not \"base64\", the only one there is");
  return true;
}

Status ReadAttributes(JsonValue& item, storage::Operation* put) {
  HOLDFAST_ASSIGN_OR_RETURN(JsonValue* const type, Find(item, "content_type", Kind::kString));
  if (type != nullptr && type->text != storage::kDefaultContentType) {
    HOLDFAST_RETURN_IF_ERROR(api::CheckContentType(type->text).WithContext("content_type"));
    put->content_type = std::move(type->text);
  }
  HOLDFAST_ASSIGN_OR_RETURN(const JsonValue* const metadata, Find(item, "metadata", Kind::kObject));
  if (metadata != nullptr && json::HoldsBytes(*metadata)) return Wrong("metadata", "holds bytes; write text");
  if (metadata != nullptr && !metadata->items.empty()) put->metadata = metadata->ToText();
  HOLDFAST_ASSIGN_OR_RETURN(JsonValue* const tags, Find(item, "tags", Kind::kArray));
  if (tags == nullptr) return {};
  for (JsonValue& tag : tags->items) {
    if (tag.kind != Kind::kString) return Wrong("tags", "holds something other than strings");
    HOLDFAST_RETURN_IF_ERROR(api::CheckTag(tag.text).WithContext("tags"));
    put->tags.push_back(std::move(tag.text));
  }
  return {};
}

}  // namespace

Result<storage::Operation> ParseImportItem(json::Format format, std::string_view text) {
  HOLDFAST_ASSIGN_OR_RETURN(JsonValue item, json::ParseDocument(format, text));
  if (item.kind != Kind::kObject) return Wrong("the item", "is no object");
  for (const std::string& name : item.names) {
    if (std::find(kMembers.begin(), kMembers.end(), name) == kMembers.end()) {
      return Wrong(fmt::format("\"{}\"", name),
                   fmt::format("is no member of an item; there are {}", fmt::join(kMembers, ", ")));
    }
  }
  HOLDFAST_ASSIGN_OR_RETURN(const bool base64, IsBase64(item));
  HOLDFAST_ASSIGN_OR_RETURN(std::string key, ReadBytes(item, "key", base64));
  HOLDFAST_ASSIGN_OR_RETURN(std::string value, ReadBytes(item, "value", base64));
  storage::Operation put = storage::Operation::Put(std::move(key), std::move(value));
  HOLDFAST_RETURN_IF_ERROR(ReadAttributes(item, &put));
  HOLDFAST_ASSIGN_OR_RETURN(const JsonValue* const expires_at, Find(item, "expires_at", Kind::kString));
  if (expires_at != nullptr) {
    const auto when = ParseTimestamp(expires_at->text);
    if (!when.ok()) return Wrong("expires_at", "is no instant; write one like \"2026-11-21T01:02:03Z\"");
    put.expiry = storage::Expiry::At(*when);
  }
  return put;
}

}  // namespace holdfast::service
