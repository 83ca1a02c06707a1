#include "service/api/document_body.h"

#include "service/api/accept.h"
#include "service/http/ascii.h"
#include "service/json/binary_reader.h"

namespace holdfast::api {

std::optional<Problem> CheckJsonContentType(const RequestHeaders& headers) {
  if (!headers.content_type) return std::nullopt;
  const std::string_view type = TrimMediaType(*headers.content_type);
  if (type.empty() || FormatOf(type) || EqualsIgnoringCase(type, "application/x-www-form-urlencoded") ||
      EqualsIgnoringCase(type, "text/plain")) {
    return std::nullopt;
  }
  Problem problem = Problem::Of("invalid_argument",
                                "the Content-Type of this request is none of application/json, application/cbor and "
                                "application/msgpack; send one of them");
  problem.status = 415;
  return problem;
}

Result<json::JsonValue> ParseBody(std::string_view body, const RequestHeaders& headers, ByteStrings byte_strings) {
  const auto named = headers.content_type ? FormatOf(TrimMediaType(*headers.content_type)) : std::nullopt;
  HOLDFAST_ASSIGN_OR_RETURN(json::JsonValue value, json::ParseDocument(named.value_or(json::Format::kJson), body));
  if (byte_strings == ByteStrings::kRefused && json::HoldsBytes(value)) {
    return Error(ErrorCode::kInvalidArgument, "the body holds a byte string; this request takes text only");
  }
  return value;
}

}  // namespace holdfast::api
