#include "service/http/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <new>
#include <string>

namespace holdfast::api {
namespace {

int SocketOf(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int WriteTo(BIO* bio, const char* data, int bytes) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent = ::send(SocketOf(bio), data, static_cast<std::size_t>(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && BIO_sock_should_retry(static_cast<int>(sent)) != 0) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int ReadFrom(BIO* bio, char* data, int bytes) {
  BIO_clear_retry_flags(bio);
  const ssize_t got = ::recv(SocketOf(bio), data, static_cast<std::size_t>(bytes), MSG_DONTWAIT);
  if (got < 0 && BIO_sock_should_retry(static_cast<int>(got)) != 0) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long Control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;  // nothing is held back
}

// OpenSSL's own socket BIO writes without MSG_NOSIGNAL: a client that has gone would end the process.
BIO_METHOD* SocketMethod() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without signals");
    BIO_meth_set_write(made, WriteTo);
    BIO_meth_set_read(made, ReadFrom);
    BIO_meth_set_ctrl(made, Control);
    return made;
  }();
  return method;
}

// A name with a NUL inside is one thing to whoever signed it and another to whoever compares it: left out.
std::string Text(const ASN1_STRING* text) {
  std::string value(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                    static_cast<std::size_t>(ASN1_STRING_length(text)));
  if (value.find('\0') != std::string::npos) value.clear();
  return value;
}

std::string CommonName(X509* certificate) {
  X509_NAME* const subject = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return {};
  unsigned char* utf8 = nullptr;
  const int bytes = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
  if (bytes < 0) return {};
  std::string name(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(bytes));
  OPENSSL_free(utf8);
  if (name.find('\0') != std::string::npos) name.clear();
  return name;
}

}  // namespace

TlsSession::TlsSession(SSL_CTX* context, int socket) : ssl_(SSL_new(context)) {
  BIO* const bio = ssl_ ? BIO_new(SocketMethod()) : nullptr;
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_accept_state(ssl_.get());
}

TlsSession::Outcome TlsSession::OutcomeOf(int result) {
  if (result > 0) return Outcome::kDone;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Outcome::kWantRead;
    case SSL_ERROR_WANT_WRITE:
      return Outcome::kWantWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Outcome::kEnd;
    default:
      break;
  }
  ERR_clear_error();
  return Outcome::kFailed;
}

TlsSession::Outcome TlsSession::Handshake() {
  ERR_clear_error();
  return OutcomeOf(SSL_do_handshake(ssl_.get()));
}

TlsSession::Outcome TlsSession::Read(std::span<char> into, std::size_t& bytes) {
  ERR_clear_error();
  return OutcomeOf(SSL_read_ex(ssl_.get(), into.data(), into.size(), &bytes));
}

TlsSession::Outcome TlsSession::Write(std::string_view from, std::size_t& bytes) {
  ERR_clear_error();
  return OutcomeOf(SSL_write_ex(ssl_.get(), from.data(), from.size(), &bytes));
}

void TlsSession::CloseNotify() {
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

std::unique_ptr<ClientCertificate> TlsSession::VerifiedClient() const {
  X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return nullptr;
  auto client = std::make_unique<ClientCertificate>();
  client->common_name = CommonName(certificate);
  auto* const names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS && name->type != GEN_URI) continue;
    std::string text = Text(name->type == GEN_DNS ? name->d.dNSName : name->d.uniformResourceIdentifier);
    if (!text.empty()) (name->type == GEN_DNS ? client->dns_names : client->uris).push_back(std::move(text));
  }
  GENERAL_NAMES_free(names);
  return client;
}

}  // namespace holdfast::api
