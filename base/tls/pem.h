// PEM text put into OpenSSL contexts, for clients and servers alike. `field` is how a message calls the text: a
// setting, a member, a file. Errors are kInvalidArgument, name the field and quote none of its contents.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"

namespace holdfast::tls {

struct Freed {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
};
template <typename T>
using Owned = std::unique_ptr<T, Freed>;

// One or more, in their order.
Result<std::vector<Owned<X509>>> ReadCertificates(const std::string& pem, std::string_view field);

// The peer must be vouched for by these authorities, and by no others. Whether it is asked to is not decided here.
Status TrustOnly(const std::vector<Owned<X509>>& authorities, std::string_view field, SSL_CTX* context);

// The certificate, leaf first, then its chain, and its unencrypted key.
Status Present(const std::string& certificate_pem, std::string_view certificate_field, const std::string& key_pem,
               std::string_view key_field, SSL_CTX* context);

}  // namespace holdfast::tls
