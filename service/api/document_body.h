// A request's structured body, in whichever format its Content-Type says.
#pragma once

#include <optional>

#include "service/api/problem.h"
#include "service/api/request_headers.h"
#include "service/json/json_value.h"

namespace holdfast::api {

// 415 for a Content-Type that is none of JSON, CBOR and MessagePack. None at all, and what `curl --data` says unless
// told otherwise, stand for JSON.
std::optional<Problem> CheckJsonContentType(const RequestHeaders& headers);

// Whether byte strings may stand in the body: where keys and values are expected. Elsewhere text is wanted.
enum class ByteStrings { kRefused, kAllowed };
// The type was checked before.
Result<json::JsonValue> ParseBody(std::string_view body, const RequestHeaders& headers,
                                  ByteStrings byte_strings = ByteStrings::kRefused);

}  // namespace holdfast::api
