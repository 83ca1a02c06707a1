#include "service/backup/object_cipher.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "service/backup/hex.h"

namespace holdfast::backup {
namespace {

constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kMaxKeyFileBytes = 4096;

// OpenSSL refuses these only for want of memory, or where the machine has no randomness.
void Require(int done) {
  if (done != 1) std::abort();
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

struct Free {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Free>;

std::string Derive(const BackupKey& key, std::string_view salt, std::string_view info, std::size_t count) {
  const std::unique_ptr<EVP_KDF, Free> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, Free> context(EVP_KDF_CTX_new(kdf.get()));
  std::string digest = "SHA256";
  std::string key_bytes(key.begin(), key.end());
  std::string salt_bytes(salt);
  std::string info_bytes(info);
  const std::array parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), digest.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key_bytes.data(), key_bytes.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt_bytes.data(), salt_bytes.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info_bytes.data(), info_bytes.size()),
      OSSL_PARAM_construct_end(),
  };
  std::string derived(count, '\0');
  Require(EVP_KDF_derive(context.get(), Bytes(derived), derived.size(), parameters.data()));
  OPENSSL_cleanse(key_bytes.data(), key_bytes.size());
  return derived;
}

std::string NonceOf(std::uint64_t number) {
  std::string nonce(kNonceBytes, '\0');
  for (std::size_t i = 0; i < sizeof(number); ++i) {
    nonce[kNonceBytes - 1 - i] = static_cast<char>((number >> (8 * i)) & 0xFF);
  }
  return nonce;
}

CipherContext Begin(const std::string& key, std::uint64_t number, bool seal) {
  CipherContext context(EVP_CIPHER_CTX_new());
  const std::string nonce = NonceOf(number);
  Require(EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, Bytes(key), Bytes(nonce), seal ? 1 : 0));
  return context;
}

// An object is smaller than 2 GiB, which is what the library counts in.
int Count(std::string_view bytes) {
  return static_cast<int>(bytes.size());
}

void Bind(EVP_CIPHER_CTX* context, std::string_view data) {
  int ignored = 0;
  Require(EVP_CipherUpdate(context, nullptr, &ignored, Bytes(data), Count(data)));
}

std::string SealWith(const std::string& key, std::uint64_t number, std::string_view data, std::string_view plain) {
  const CipherContext context = Begin(key, number, /*seal=*/true);
  Bind(context.get(), data);
  std::string sealed(plain.size() + kTagBytes, '\0');
  int count = 0;
  Require(EVP_CipherUpdate(context.get(), Bytes(sealed), &count, Bytes(plain), Count(plain)));
  Require(EVP_CipherFinal_ex(context.get(), Bytes(sealed) + count, &count));
  Require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, sealed.data() + plain.size()));
  return sealed;
}

// False: the tag is not theirs.
bool OpenWith(const std::string& key, std::uint64_t number, std::string_view data, std::string_view sealed,
              std::string* plain) {
  if (sealed.size() < kTagBytes) return false;
  const CipherContext context = Begin(key, number, /*seal=*/false);
  Bind(context.get(), data);
  const std::string_view body = sealed.substr(0, sealed.size() - kTagBytes);
  std::string tag(sealed.substr(body.size()));
  plain->resize(body.size());
  int count = 0;
  Require(EVP_CipherUpdate(context.get(), Bytes(*plain), &count, Bytes(body), Count(body)));
  Require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()));
  if (EVP_CipherFinal_ex(context.get(), Bytes(*plain) + count, &count) == 1) return true;
  plain->clear();
  return false;
}

}  // namespace

Result<BackupKey> ReadKeyFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(kMaxKeyFileBytes, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  if (bytes.size() != kKeyBytes) {
    while (bytes.ends_with('\n') || bytes.ends_with('\r')) bytes.pop_back();
    bytes = FromHex(bytes).value_or("");
  }
  if (bytes.size() == kKeyBytes) {
    BackupKey key{};
    std::copy(bytes.begin(), bytes.end(), key.begin());
    return key;
  }
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("cannot take a key from {}: it has to be there, readable, and hold 32 bytes or 64 "
                           "hexadecimal digits in lower case (openssl rand -hex 32)",
                           path));
}

std::string RandomBytes(std::size_t count) {
  std::string bytes(count, '\0');
  Require(RAND_priv_bytes(Bytes(bytes), static_cast<int>(count)));
  return bytes;
}

ObjectCipher::ObjectCipher(const BackupKey& key, std::string_view salt, std::string backup)
    : backup_(std::move(backup)),
      key_(Derive(key, salt, "holdfast backup 1 objects " + backup_, kKeyBytes)),
      key_check_(Derive(key, salt, "holdfast backup 1 key check", kKeyCheckBytes)) {}

std::string ObjectCipher::Seal(std::uint64_t number, std::string_view object, std::string_view plain) const {
  return SealWith(key_, number, fmt::format("{}/{}", backup_, object), plain);
}

Result<std::string> ObjectCipher::Open(std::uint64_t number, std::string_view object, std::string_view sealed) const {
  std::string plain;
  if (OpenWith(key_, number, fmt::format("{}/{}", backup_, object), sealed, &plain)) return plain;
  return Error(ErrorCode::kCorruption, fmt::format("object {} is not what was encrypted under that name", object));
}

std::string ObjectCipher::Sign(std::string_view manifest) const {
  return SealWith(key_, 0, manifest, "");
}

bool ObjectCipher::IsSigned(std::string_view manifest, std::string_view tag) const {
  std::string nothing;
  return tag.size() == kTagBytes && OpenWith(key_, 0, manifest, tag, &nothing);
}

}  // namespace holdfast::backup
