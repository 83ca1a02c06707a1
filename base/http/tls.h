// Certificates and keys given as PEM text, put into OpenSSL.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "base/result/result.h"

namespace holdfast::http {

struct TlsMaterial {
  // One or more certificates, each trusted as it stands, also one that another has signed; empty = the system's
  // authorities.
  std::string ca_pem;
  std::string client_certificate_pem;  // leaf first, then its chain; empty = none
  std::string client_key_pem;          // given exactly when a certificate is
};

// Makes `context` trust only these authorities, present this certificate and refuse anything before TLS 1.2.
// kInvalidArgument, naming the field but none of its contents, when a text is not the PEM it should be.
Status ApplyTls(const TlsMaterial& material, SSL_CTX* context);

// The same, on a context that is thrown away: is this material usable?
Status CheckTls(const TlsMaterial& material);

}  // namespace holdfast::http
