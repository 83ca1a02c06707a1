// SHA-256 of bytes that come in parts.
#pragma once

#include <openssl/types.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace holdfast::durability {

using Digest = std::array<char, 32>;

// "sha256:" and 64 hexadecimal digits, lower case.
std::string ShowDigest(const Digest& digest);

// Not thread-safe.
class Sha256Stream {
 public:
  Sha256Stream();

  void Add(std::string_view bytes);
  // Of all that was added; once.
  Digest Finish();

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const;
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace holdfast::durability
