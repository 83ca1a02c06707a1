#include "tests/unit/base/http/certificates.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>

namespace holdfast::http {
namespace {

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Certificate Make(const Certificate* authority, const std::string& name, const std::string& names, long valid_seconds) {
  static std::atomic<long> serial = 1;
  Certificate made;
  made.key.reset(EVP_EC_gen("P-256"), EVP_PKEY_free);
  made.certificate.reset(X509_new(), X509_free);
  X509* x509 = made.certificate.get();
  X509_set_version(x509, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++);
  X509_gmtime_adj(X509_getm_notBefore(x509), -7200);
  X509_gmtime_adj(X509_getm_notAfter(x509), valid_seconds);
  X509_set_pubkey(x509, made.key.get());
  X509_NAME* subject = X509_get_subject_name(x509);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                             0);
  X509* issuer = authority == nullptr ? x509 : authority->certificate.get();
  X509_set_issuer_name(x509, X509_get_subject_name(issuer));
  AddExtension(x509, issuer, NID_basic_constraints, authority == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
  if (!names.empty()) AddExtension(x509, issuer, NID_subject_alt_name, names);
  X509_sign(x509, authority == nullptr ? made.key.get() : authority->key.get(), EVP_sha256());
  return made;
}

}  // namespace

std::string Certificate::pem() const {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate.get());
  return Text(bio);
}

std::string Certificate::key_pem() const {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return Text(bio);
}

Certificate MakeAuthority(const std::string& name) {
  return Make(nullptr, name, "", 3600);
}

Certificate MakeLeaf(const Certificate& authority, const std::string& name, const std::string& names,
                     long valid_seconds) {
  return Make(&authority, name, names, valid_seconds);
}

}  // namespace holdfast::http
