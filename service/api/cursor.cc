#include "service/api/cursor.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstdlib>

#include "service/api/encoding.h"

namespace holdfast::api {
namespace {

// Is signed too: a cursor of another format is none.
constexpr char kFormat = 2;
constexpr std::size_t kSignatureBytes = 32;
constexpr char kBehindKey = 'k';
constexpr char kBehindPrefix = 'p';

// With its length in front, so that fields cannot run into each other.
void AppendField(std::string* out, std::string_view field) {
  for (std::size_t length = field.size(), i = 0; i < 8; ++i, length >>= 8) {
    out->push_back(static_cast<char>(length & 0xff));
  }
  out->append(field);
}

}  // namespace

std::string CursorSigner::Sign(const ListScope& scope, std::string_view payload) const {
  std::string text(1, kFormat);
  for (const std::string_view field :
       {scope.store, scope.name_space, scope.prefix, scope.start, scope.end, scope.delimiter, scope.filter, payload}) {
    AppendField(&text, field);
  }
  text.push_back(scope.descending ? 1 : 0);
  text.append(scope.subject);
  std::array<unsigned char, kSignatureBytes> signature{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), signature.data(), &size) == nullptr) {
    std::abort();  // only without memory
  }
  return {reinterpret_cast<const char*>(signature.data()), size};
}

std::string CursorSigner::Encode(const ListScope& scope, const ListPosition& position) const {
  std::string payload(1, position.kind == ListPosition::Kind::kBehindKey ? kBehindKey : kBehindPrefix);
  payload.append(position.bytes);
  return Base64UrlEncode(Sign(scope, payload).append(payload));
}

std::optional<ListPosition> CursorSigner::Decode(const ListScope& scope, std::string_view cursor) const {
  const auto bytes = Base64UrlDecode(cursor);
  if (!bytes || bytes->size() <= kSignatureBytes + 1) return std::nullopt;
  const std::string_view payload = std::string_view(*bytes).substr(kSignatureBytes);
  const std::string signature = Sign(scope, payload);
  if (CRYPTO_memcmp(signature.data(), bytes->data(), kSignatureBytes) != 0) return std::nullopt;
  ListPosition position;
  position.kind = payload.front() == kBehindKey ? ListPosition::Kind::kBehindKey : ListPosition::Kind::kBehindPrefix;
  position.bytes = payload.substr(1);
  return position;
}

}  // namespace holdfast::api
