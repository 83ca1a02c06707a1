// AWS Signature Version 4 in the Authorization header, with the body's SHA-256 signed ("Authenticating Requests:
// Using the Authorization Header", Amazon S3 API reference): who has the secret key sent exactly this request, and
// the server refuses a body that changed on its way. Pure, thread-safe.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/http/http_client.h"
#include "base/time/clock.h"

namespace holdfast::s3 {

struct SigningKey {
  std::string access_key;
  std::string secret_key;
};

// Neither names nor values are encoded.
using Query = std::map<std::string, std::string>;

struct UnsignedRequest {
  std::string method;
  std::string path;  // as it is sent, encoded
  Query query;
  http::Headers headers;  // Host among them; all of them are signed
  std::string_view body;
};

// As it is sent and signed: sorted, everything but unreserved characters encoded, "a=" for what has no value.
std::string EncodeQuery(const Query& query);
// 64 lower-case hexadecimal digits.
std::string Sha256Hex(std::string_view bytes);
// RFC 1864, the value of Content-MD5. Against accidents only.
std::string Md5Base64(std::string_view bytes);

// The request's headers, and with them x-amz-date, x-amz-content-sha256 and Authorization.
http::Headers Sign(const UnsignedRequest& request, const SigningKey& key, const std::string& region, Timestamp now);

}  // namespace holdfast::s3
