#include "service/api/item_json.h"

#include "base/time/duration.h"
#include "service/api/encoding.h"
#include "service/api/entry_headers.h"

namespace holdfast::api {

void WriteItem(std::string_view key, const storage::Entry& entry, std::size_t value_bytes, bool with_value,
               json::DocumentWriter* out) {
  const bool base64 = !out->has_bytes() && !(IsValidUtf8(key) && (!with_value || IsValidUtf8(entry.value)));
  out->BeginObject();
  out->Key("key").Bytes(base64 ? Base64Encode(key) : std::string(key));
  if (base64) out->Key("encoding").String("base64");
  out->Key("etag").String(std::to_string(entry.version));
  out->Key("size").Unsigned(value_bytes);
  out->Key("created_at").String(FormatTimestamp(entry.created_at));
  out->Key("updated_at").String(FormatTimestamp(entry.updated_at));
  if (entry.expires_at) out->Key("expires_at").String(FormatTimestamp(*entry.expires_at));
  out->Key("content_type").String(entry.content_type.empty() ? kDefaultContentType : entry.content_type);
  out->Key("metadata").Raw(entry.metadata.empty() ? "{}" : entry.metadata);
  if (!entry.tags.empty()) {
    out->Key("tags").BeginArray();
    for (const std::string& tag : entry.tags) out->String(tag);
    out->EndArray();
  }
  if (with_value) {
    out->Key("value");
    // Not through a conditional expression: it would copy the value.
    if (base64) {
      out->String(Base64Encode(entry.value));
    } else {
      out->Bytes(entry.value);
    }
  }
  out->EndObject();
}

void WriteCommonPrefix(std::string_view prefix, json::DocumentWriter* out) {
  if (out->has_bytes() || IsValidUtf8(prefix)) {
    out->Bytes(prefix);
    return;
  }
  out->BeginObject().Key("prefix").String(Base64Encode(prefix)).Key("encoding").String("base64").EndObject();
}

}  // namespace holdfast::api
