#include "base/tls/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace holdfast::tls {
namespace {

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

}  // namespace

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

Status TrustOnly(const std::vector<Owned<X509>>& authorities, std::string_view field, SSL_CTX* context) {
  Owned<X509_STORE> store(X509_STORE_new());
  for (const Owned<X509>& authority : authorities) {
    if (X509_STORE_add_cert(store.get(), authority.get()) != 1) return Malformed(field, "cannot be trusted");
  }
  SSL_CTX_set_cert_store(context, store.release());
  return {};
}

Status Present(const std::string& certificate_pem, std::string_view certificate_field, const std::string& key_pem,
               std::string_view key_field, SSL_CTX* context) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<Owned<X509>> chain, ReadCertificates(certificate_pem, certificate_field));
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    return Malformed(certificate_field, "holds a certificate that cannot be used");
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
      return Malformed(certificate_field, "has a chain that cannot be used");
    }
  }
  const Owned<BIO> reader = Reader(key_pem);
  const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(reader.get(), nullptr, NoPassphrase, nullptr));
  if (!key) return Malformed(key_field, "is not an unencrypted PEM private key");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return Malformed(key_field, std::string("is not the key of ").append(certificate_field));
  }
  return {};
}

}  // namespace holdfast::tls
