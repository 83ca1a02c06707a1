#include "service/api/item_json.h"

#include "base/time/duration.h"
#include "service/api/encoding.h"
#include "service/api/entry_headers.h"

namespace holdfast::api {

void WriteItem(std::string_view key, const storage::Entry& entry, std::size_t value_bytes, bool with_value,
               JsonWriter* json) {
  const bool is_text = IsValidUtf8(key) && (!with_value || IsValidUtf8(entry.value));
  json->BeginObject();
  if (is_text) {
    json->Key("key").String(key);
  } else {
    json->Key("key").String(Base64Encode(key)).Key("encoding").String("base64");
  }
  json->Key("etag").String(std::to_string(entry.version));
  json->Key("size").Unsigned(value_bytes);
  json->Key("created_at").String(FormatTimestamp(entry.created_at));
  json->Key("updated_at").String(FormatTimestamp(entry.updated_at));
  if (entry.expires_at) json->Key("expires_at").String(FormatTimestamp(*entry.expires_at));
  json->Key("content_type").String(entry.content_type.empty() ? kDefaultContentType : entry.content_type);
  json->Key("metadata").Raw(entry.metadata.empty() ? "{}" : entry.metadata);
  if (!entry.tags.empty()) {
    json->Key("tags").BeginArray();
    for (const std::string& tag : entry.tags) json->String(tag);
    json->EndArray();
  }
  if (with_value) json->Key("value").String(is_text ? entry.value : Base64Encode(entry.value));
  json->EndObject();
}

}  // namespace holdfast::api
