// Certificates made for a test, with OpenSSL.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace holdfast::http {

struct Certificate {
  std::shared_ptr<X509> certificate;
  std::shared_ptr<EVP_PKEY> key;

  std::string pem() const;
  std::string key_pem() const;
};

// An authority of its own.
Certificate MakeAuthority(const std::string& name);
// A leaf signed by `authority`; `names` as in a subjectAltName: "IP:127.0.0.1", "DNS:localhost"; "" for none.
Certificate MakeLeaf(const Certificate& authority, const std::string& name, const std::string& names,
                     long valid_seconds = 3600);

}  // namespace holdfast::http
