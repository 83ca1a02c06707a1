#include "base/http/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string_view>
#include <vector>

namespace holdfast::http {
namespace {

struct Freed {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
template <typename T>
using Owned = std::unique_ptr<T, Freed>;

Error Malformed(std::string_view field, std::string_view what) {
  // OpenSSL's own queue is emptied, not quoted: it is per thread and the next call would find it.
  ERR_clear_error();
  return Error(ErrorCode::kInvalidArgument, std::string(field).append(" ").append(what));
}

Owned<BIO> Reader(const std::string& pem) {
  return Owned<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// Without this, OpenSSL asks on the terminal for the passphrase of an encrypted key.
int NoPassphrase(char*, int, int, void*) {
  return -1;
}

Result<std::vector<Owned<X509>>> ReadCertificates(const std::string& pem, std::string_view field) {
  std::vector<Owned<X509>> certificates;
  const Owned<BIO> reader = Reader(pem);
  while (X509* certificate = PEM_read_bio_X509(reader.get(), nullptr, NoPassphrase, nullptr)) {
    certificates.emplace_back(certificate);
  }
  // Running out of text ends the loop with "no start line"; any other reason is a broken certificate.
  const bool ran_out = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (certificates.empty() || !ran_out) return Malformed(field, "is not a sequence of PEM certificates");
  return certificates;
}

Status TrustOnly(const std::string& ca_pem, SSL_CTX* context) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<Owned<X509>> authorities, ReadCertificates(ca_pem, "ca_pem"));
  Owned<X509_STORE> store(X509_STORE_new());
  for (const Owned<X509>& authority : authorities) {
    if (X509_STORE_add_cert(store.get(), authority.get()) != 1) return Malformed("ca_pem", "cannot be trusted");
  }
  SSL_CTX_set_cert_store(context, store.release());
  return {};
}

Status Present(const TlsMaterial& material, SSL_CTX* context) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<Owned<X509>> chain,
                            ReadCertificates(material.client_certificate_pem, "client_certificate_pem"));
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    return Malformed("client_certificate_pem", "cannot be used as a client certificate");
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
      return Malformed("client_certificate_pem", "has a chain that cannot be used");
    }
  }
  const Owned<BIO> reader = Reader(material.client_key_pem);
  const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(reader.get(), nullptr, NoPassphrase, nullptr));
  if (!key) return Malformed("client_key_pem", "is not an unencrypted PEM private key");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return Malformed("client_key_pem", "is not the key of client_certificate_pem");
  }
  return {};
}

}  // namespace

Status ApplyTls(const TlsMaterial& material, SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  if (!material.ca_pem.empty()) HOLDFAST_RETURN_IF_ERROR(TrustOnly(material.ca_pem, context));
  if (material.client_certificate_pem.empty() != material.client_key_pem.empty()) {
    return Error(ErrorCode::kInvalidArgument, "client_certificate_pem and client_key_pem must be given together");
  }
  if (!material.client_certificate_pem.empty()) HOLDFAST_RETURN_IF_ERROR(Present(material, context));
  return {};
}

Status CheckTls(const TlsMaterial& material) {
  const Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  return ApplyTls(material, context.get());
}

}  // namespace holdfast::http
