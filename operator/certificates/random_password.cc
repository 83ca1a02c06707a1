#include "operator/certificates/random_password.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <array>

namespace holdfast::certificates {
namespace {

constexpr std::size_t kBytes = 32;

}  // namespace

Result<std::string> RandomPassword() {
  std::array<unsigned char, kBytes> bytes{};
  if (RAND_priv_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return Error(ErrorCode::kUnavailable, "the random source of the system gives nothing");
  }
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string password;
  unsigned int rest = 0;
  int bits = 0;
  for (const unsigned char byte : bytes) {
    rest = rest << 8 | byte;
    for (bits += 8; bits >= 6; bits -= 6) password += kDigits[rest >> (bits - 6) & 63U];
  }
  password += kDigits[rest << (6 - bits) & 63U];
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return password;
}

}  // namespace holdfast::certificates
