#include "service/durability/sha256_stream.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <cstdlib>

namespace holdfast::durability {
namespace {

// OpenSSL refuses these only for want of memory.
void Require(int done) {
  if (done != 1) std::abort();
}

}  // namespace

std::string ShowDigest(const Digest& digest) {
  std::string text = "sha256:";
  for (const char byte : digest) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

void Sha256Stream::Free::operator()(EVP_MD_CTX* context) const {
  EVP_MD_CTX_free(context);
}

Sha256Stream::Sha256Stream() : context_(EVP_MD_CTX_new()) {
  Require(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
}

void Sha256Stream::Add(std::string_view bytes) {
  Require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

Digest Sha256Stream::Finish() {
  Digest digest{};
  Require(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr));
  return digest;
}

}  // namespace holdfast::durability
