#include "operator/certificates/scram_verifier.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

namespace holdfast::certificates {
namespace {

// PostgreSQL's own choices.
constexpr int kIterations = 4096;
constexpr std::size_t kSaltSize = 16;

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string Base64(const unsigned char* bytes, std::size_t size) {
  std::string text((size + 2) / 3 * 4 + 1, '\0');  // the library ends it with a zero
  text.resize(static_cast<std::size_t>(
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes, static_cast<int>(size))));
  return text;
}

bool Sign(const Digest& key, std::string_view what, Digest* signature) {
  unsigned int size = 0;
  return HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(what), what.size(), signature->data(),
              &size) != nullptr;
}

}  // namespace

Result<std::string> ScramVerifier(std::string_view password) {
  std::array<unsigned char, kSaltSize> salt{};
  if (RAND_bytes(salt.data(), static_cast<int>(salt.size())) != 1) {
    return Error(ErrorCode::kUnavailable, "the random source of the system gives nothing");
  }
  return ScramVerifier(password, std::string(salt.begin(), salt.end()));
}

Result<std::string> ScramVerifier(std::string_view password, std::string_view salt) {
  if (std::any_of(password.begin(), password.end(), [](char each) { return each < ' ' || each > '~'; })) {
    return Error(ErrorCode::kInvalidArgument,
                 "a password has a character that SASLprep may change; only those of "
                 "ASCII that can be printed are allowed");
  }
  Digest salted{};
  Digest client{};
  Digest server{};
  Digest stored{};
  const bool made =
      PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), Bytes(salt), static_cast<int>(salt.size()),
                        kIterations, EVP_sha256(), static_cast<int>(salted.size()), salted.data()) == 1 &&
      Sign(salted, "Client Key", &client) && Sign(salted, "Server Key", &server) &&
      SHA256(client.data(), client.size(), stored.data()) != nullptr;
  OPENSSL_cleanse(salted.data(), salted.size());
  OPENSSL_cleanse(client.data(), client.size());
  if (!made) return Error(ErrorCode::kUnavailable, "the library makes no verifier of a password");
  std::string verifier = "SCRAM-SHA-256$";
  verifier.append(std::to_string(kIterations)).append(":").append(Base64(Bytes(salt), salt.size()));
  verifier.append("$").append(Base64(stored.data(), stored.size()));
  return verifier.append(":").append(Base64(server.data(), server.size()));
}

}  // namespace holdfast::certificates
