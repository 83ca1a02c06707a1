#include "operator/certificates/certificate.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/tls/pem.h"

namespace holdfast::certificates {
namespace {

using tls::Owned;

constexpr int kSerialBits = 159;  // RFC 5280: at most 20 octets, positive
constexpr std::size_t kMaximumCommonName = 64;
constexpr long kVersion3 = 2;

struct FreedMore {
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
template <typename T>
using Also = std::unique_ptr<T, FreedMore>;

Error Failure(const char* what) {
  ERR_clear_error();
  return Error(ErrorCode::kUnavailable, std::string("cannot make a certificate: ") + what);
}

Owned<BIO> Reading(const std::string& text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string Contents(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

Owned<X509> ReadCertificate(const std::string& pem) {
  const Owned<BIO> bio = Reading(pem);
  Owned<X509> certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  ERR_clear_error();
  return certificate;
}

// Never asks at a terminal for a password.
int NoPassword(char*, int, int, void*) {
  return -1;
}

Owned<EVP_PKEY> ReadKey(const std::string& pem) {
  const Owned<BIO> bio = Reading(pem);
  Owned<EVP_PKEY> key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr) : nullptr);
  ERR_clear_error();
  return key;
}

bool SetTime(ASN1_TIME* field, Timestamp time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  return ASN1_TIME_set(field, static_cast<time_t>(seconds)) != nullptr;
}

Result<Timestamp> TimeOf(const ASN1_TIME* field) {
  tm parts{};
  if (ASN1_TIME_to_tm(field, &parts) != 1) {
    return Error(ErrorCode::kInvalidArgument, "a certificate has a validity that is no time");
  }
  return Timestamp{std::chrono::seconds{timegm(&parts)}};
}

bool AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Also<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool SetCommonName(X509* certificate, const std::string& name) {
  const std::string text = name.substr(0, kMaximumCommonName);
  X509_NAME* subject = X509_get_subject_name(certificate);
  return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

// Everything but names, purpose and signature.
Result<Owned<X509>> Begin(EVP_PKEY* key, const std::string& common_name, const Validity& validity) {
  Owned<X509> certificate(X509_new());
  const Also<BIGNUM> serial(BN_new());
  const bool made = certificate && serial && X509_set_version(certificate.get(), kVersion3) == 1 &&
                    BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                    BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get())) != nullptr &&
                    SetTime(X509_getm_notBefore(certificate.get()), validity.not_before) &&
                    SetTime(X509_getm_notAfter(certificate.get()), validity.not_after) &&
                    X509_set_pubkey(certificate.get(), key) == 1 && SetCommonName(certificate.get(), common_name);
  if (!made) return Failure("its fields were refused");
  return certificate;
}

Result<KeyPair> Written(X509* certificate, EVP_PKEY* key) {
  const Owned<BIO> certificate_text(BIO_new(BIO_s_mem()));
  const Owned<BIO> key_text(BIO_new(BIO_s_secmem()));
  if (!certificate_text || !key_text || PEM_write_bio_X509(certificate_text.get(), certificate) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_text.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return Failure("it cannot be written");
  }
  return KeyPair{Contents(certificate_text.get()), Contents(key_text.get())};
}

Owned<EVP_PKEY> NewKey() {
  return Owned<EVP_PKEY>(EVP_EC_gen("P-256"));
}

}  // namespace

Result<KeyPair> MakeAuthority(const std::string& common_name, const Validity& validity) {
  const Owned<EVP_PKEY> key = NewKey();
  if (!key) return Failure("no key");
  HOLDFAST_ASSIGN_OR_RETURN(const Owned<X509> certificate, Begin(key.get(), common_name, validity));
  X509* raw = certificate.get();
  const bool made = X509_set_issuer_name(raw, X509_get_subject_name(raw)) == 1 &&
                    AddExtension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    AddExtension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    AddExtension(raw, raw, NID_subject_key_identifier, "hash") &&
                    X509_sign(raw, key.get(), EVP_sha256()) > 0;
  if (!made) return Failure("the authority was refused");
  return Written(raw, key.get());
}

Result<KeyPair> Issue(const KeyPair& authority, const std::vector<std::string>& names, const Validity& validity) {
  if (names.empty()) return Error(ErrorCode::kInvalidArgument, "a certificate needs a name");
  const Owned<X509> issuer = ReadCertificate(authority.certificate);
  const Owned<EVP_PKEY> issuer_key = ReadKey(authority.key);
  if (!issuer || !issuer_key) {
    return Error(ErrorCode::kInvalidArgument, "the authority's certificate or key is not readable PEM");
  }
  const Owned<EVP_PKEY> key = NewKey();
  if (!key) return Failure("no key");
  HOLDFAST_ASSIGN_OR_RETURN(const Owned<X509> certificate, Begin(key.get(), names.front(), validity));
  std::string alternative;
  for (const std::string& name : names) alternative.append(alternative.empty() ? "DNS:" : ",DNS:").append(name);
  X509* raw = certificate.get();
  const bool made = X509_set_issuer_name(raw, X509_get_subject_name(issuer.get())) == 1 &&
                    AddExtension(raw, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
                    AddExtension(raw, issuer.get(), NID_key_usage, "critical,digitalSignature") &&
                    AddExtension(raw, issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth") &&
                    AddExtension(raw, issuer.get(), NID_subject_key_identifier, "hash") &&
                    AddExtension(raw, issuer.get(), NID_authority_key_identifier, "keyid:always") &&
                    AddExtension(raw, issuer.get(), NID_subject_alt_name, alternative) &&
                    X509_sign(raw, issuer_key.get(), EVP_sha256()) > 0;
  if (!made) return Failure("the certificate was refused");
  return Written(raw, key.get());
}

Result<CertificateFacts> ReadFacts(const std::string& pem) {
  const Owned<X509> certificate = ReadCertificate(pem);
  if (!certificate) return Error(ErrorCode::kInvalidArgument, "is no certificate in PEM");
  CertificateFacts facts;
  HOLDFAST_ASSIGN_OR_RETURN(facts.validity.not_before, TimeOf(X509_get0_notBefore(certificate.get())));
  HOLDFAST_ASSIGN_OR_RETURN(facts.validity.not_after, TimeOf(X509_get0_notAfter(certificate.get())));
  const Also<GENERAL_NAMES> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    const unsigned char* data = ASN1_STRING_get0_data(name->d.dNSName);
    facts.names.emplace_back(reinterpret_cast<const char*>(data),
                             static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  return facts;
}

Status CheckCertificates(const std::string& pem) {
  const auto read = tls::ReadCertificates(pem, "the text");
  return read.ok() ? Status::Ok() : Status(read.error());
}

bool Matches(const KeyPair& pair) {
  const Owned<X509> certificate = ReadCertificate(pair.certificate);
  const Owned<EVP_PKEY> key = ReadKey(pair.key);
  const bool matches = certificate && key && X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return matches;
}

bool IsIssuedBy(const std::string& certificate, const std::string& authority) {
  const Owned<X509> subject = ReadCertificate(certificate);
  const Owned<X509> issuer = ReadCertificate(authority);
  const bool issued = subject && issuer && X509_check_issued(issuer.get(), subject.get()) == X509_V_OK &&
                      X509_verify(subject.get(), X509_get0_pubkey(issuer.get())) == 1;
  ERR_clear_error();
  return issued;
}

}  // namespace holdfast::certificates
