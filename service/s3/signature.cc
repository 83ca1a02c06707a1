#include "service/s3/signature.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cctype>
#include <cstdlib>
#include <ctime>

namespace holdfast::s3 {
namespace {

constexpr std::size_t kDayDigits = 8;  // of 20130524T000000Z

std::string Digest(const EVP_MD* kind, std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  // It fails when there is no memory, or when the library was built without the digest.
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, kind, nullptr) != 1) std::abort();
  return {reinterpret_cast<const char*>(digest.data()), size};
}

std::string Hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, text.size(), digest.data(), &size) ==
      nullptr) {
    std::abort();
  }
  return {reinterpret_cast<const char*>(digest.data()), size};
}

std::string Hex(std::string_view bytes) {
  std::string digits;
  for (const char byte : bytes) digits += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return digits;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

std::string ShowTime(Timestamp now) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(seconds));
}

}  // namespace

std::string EncodeQuery(const Query& query) {
  std::string encoded;
  for (const auto& [name, value] : query) {
    if (!encoded.empty()) encoded += '&';
    encoded += http::PercentEncode(name) + '=' + http::PercentEncode(value);
  }
  return encoded;
}

std::string Sha256Hex(std::string_view bytes) {
  return Hex(Digest(EVP_sha256(), bytes));
}

std::string Md5Base64(std::string_view bytes) {
  const std::string digest = Digest(EVP_md5(), bytes);
  std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> text{};
  const int size = EVP_EncodeBlock(text.data(), reinterpret_cast<const unsigned char*>(digest.data()),
                                   static_cast<int>(digest.size()));
  return {reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(size)};
}

http::Headers Sign(const UnsignedRequest& request, const SigningKey& key, const std::string& region, Timestamp now) {
  const std::string time = ShowTime(now);
  const std::string day = time.substr(0, kDayDigits);
  const std::string body = Sha256Hex(request.body);
  http::Headers headers = request.headers;
  headers["x-amz-date"] = time;
  headers["x-amz-content-sha256"] = body;

  std::string canonical = fmt::format("{}\n{}\n{}\n", request.method, request.path, EncodeQuery(request.query));
  std::string names;
  for (const auto& [name, value] : headers) {  // they stand in the order that the canonical form has
    canonical += fmt::format("{}:{}\n", Lower(name), value);
    if (!names.empty()) names += ';';
    names += Lower(name);
  }
  canonical += fmt::format("\n{}\n{}", names, body);

  const std::string scope = fmt::format("{}/{}/s3/aws4_request", day, region);
  const std::string to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, scope, Sha256Hex(canonical));
  const std::string signing_key = Hmac(Hmac(Hmac(Hmac("AWS4" + key.secret_key, day), region), "s3"), "aws4_request");
  headers["Authorization"] = fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                                         key.access_key, scope, names, Hex(Hmac(signing_key, to_sign)));
  return headers;
}

}  // namespace holdfast::s3
