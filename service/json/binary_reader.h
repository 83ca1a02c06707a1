// A request's CBOR (RFC 8949) or MessagePack, read as strictly as its JSON: the same limits, no member twice, no NaN
// and no infinity, text only as UTF-8, nothing behind the document. Refused, since JSON has nothing like them: CBOR's
// tags, `undefined` and other simple values, MessagePack's extensions, and names of members that are not text. Byte
// strings are Kind::kBytes. CBOR of indefinite length is read.
#pragma once

#include <string_view>

#include "base/result/result.h"
#include "service/json/document_writer.h"
#include "service/json/json_value.h"

namespace holdfast::json {

// kInvalidArgument says what is wrong and at which byte, the first one being 1.
Result<JsonValue> ParseCbor(std::string_view bytes, const JsonLimits& limits = {});
Result<JsonValue> ParseMessagePack(std::string_view bytes, const JsonLimits& limits = {});
Result<JsonValue> ParseDocument(Format format, std::string_view bytes, const JsonLimits& limits = {});

}  // namespace holdfast::json
