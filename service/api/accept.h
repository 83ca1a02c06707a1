// Which format the client wants its answer in: the header Accept (RFC 9110, section 12.5.1).
#pragma once

#include <string_view>

#include "base/result/result.h"
#include "service/http/http_message.h"
#include "service/json/document_writer.h"

namespace holdfast::api {

struct Accept {
  json::Format document = json::Format::kJson;
  bool lines = false;  // application/x-ndjson above all others
};

// The highest quality wins, then what is named over what a wildcard matches, then what stands first. Types that the API
// does not have are passed over, and what remains without any is JSON. kNotSupported when only lines are accepted and
// the endpoint has none.
Result<Accept> ReadAccept(const Request& request, bool has_lines);

// "application/cbor" ...
std::string_view MediaTypeOf(json::Format format);

// "text/plain" of " text/plain ; charset=utf-8".
std::string_view TrimMediaType(std::string_view value);
// nullopt for anything else than JSON, CBOR and MessagePack (also as x-msgpack and vnd.msgpack); any case.
std::optional<json::Format> FormatOf(std::string_view media_type);

}  // namespace holdfast::api
