#include "base/redis/tls_stream.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <sstream>

namespace holdfast::redis {
namespace {

// A BIO over PlainStream: OpenSSL's own writes with write(2), whose SIGPIPE would end a program that does not ignore
// it.
int WriteBytes(BIO* bio, const char* bytes, int size) {
  const auto* plain = static_cast<const PlainStream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const long written = plain->TryWrite(bytes, static_cast<std::size_t>(size));
  if (written < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(written);
}

int ReadBytes(BIO* bio, char* buffer, int size) {
  const auto* plain = static_cast<const PlainStream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const long read = plain->TryRead(buffer, static_cast<std::size_t>(size));
  if (read < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(read);
}

long Control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int Create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

const BIO_METHOD* Method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "redis stream");
    BIO_meth_set_write(made, WriteBytes);
    BIO_meth_set_read(made, ReadBytes);
    BIO_meth_set_ctrl(made, Control);
    BIO_meth_set_create(made, Create);
    return made;
  }();
  return method;
}

Result<std::string> FileText(const std::string& path, std::string_view field) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} {} cannot be read: {}", field, path, std::strerror(errno)));
  }
  return std::move(text).str();
}

Result<tls::Owned<SSL_CTX>> MakeContext(const TlsFiles& files) {
  tls::Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  if (!context) return Error(ErrorCode::kInternal, "OpenSSL gives no context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (files.ca.empty() && files.ca_pem.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else {
    std::string pem = files.ca_pem;
    if (pem.empty()) {
      HOLDFAST_ASSIGN_OR_RETURN(pem, FileText(files.ca, "the CA file"));
    }
    HOLDFAST_ASSIGN_OR_RETURN(const std::vector<tls::Owned<X509>> authorities,
                              tls::ReadCertificates(pem, "the CA file"));
    HOLDFAST_RETURN_IF_ERROR(tls::TrustOnly(authorities, "the CA file", context.get()));
  }
  if (!files.certificate.empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::string certificate, FileText(files.certificate, "the certificate file"));
    HOLDFAST_ASSIGN_OR_RETURN(const std::string key, FileText(files.key, "the key file"));
    HOLDFAST_RETURN_IF_ERROR(tls::Present(certificate, "the certificate file", key, "the key file", context.get()));
  }
  return context;
}

std::string Reason(SSL* session) {
  const long verdict = SSL_get_verify_result(session);
  if (verdict != X509_V_OK) return fmt::format("its certificate: {}", X509_verify_cert_error_string(verdict));
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "the connection was closed" : reason;
}

}  // namespace

Result<std::unique_ptr<TlsStream>> TlsStream::Begin(std::unique_ptr<PlainStream> plain, const std::string& host,
                                                    const TlsFiles& files, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(tls::Owned<SSL_CTX> context, MakeContext(files));
  std::unique_ptr<TlsStream> stream(new TlsStream(std::move(plain), std::move(context)));
  HOLDFAST_RETURN_IF_ERROR(stream->Prepare(files.server_name.empty() ? host : files.server_name));
  while (true) {
    ERR_clear_error();
    const int outcome = SSL_connect(stream->session_.get());
    if (outcome == 1) return stream;
    HOLDFAST_RETURN_IF_ERROR(stream->AwaitWish(outcome, "the TLS handshake failed", deadline));
  }
}

Status TlsStream::Prepare(const std::string& host) {
  session_.reset(SSL_new(context_.get()));
  BIO* bio = BIO_new(Method());
  if (!session_ || bio == nullptr) {
    BIO_free(bio);
    return Error(ErrorCode::kInternal, "OpenSSL gives no session");
  }
  BIO_set_data(bio, plain_.get());
  SSL_set_bio(session_.get(), bio, bio);
  // An address is not a name: it is looked for among the certificate's addresses, and not sent along.
  const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session_.get()), host.c_str()) == 1;
  if (is_address) return {};
  SSL_set_hostflags(session_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // SSL_set_tlsext_host_name, whose macro casts in a way that does not compile here.
  std::string sent = host;
  if (SSL_set1_host(session_.get(), host.c_str()) != 1 ||
      SSL_ctrl(session_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, sent.data()) != 1) {
    return Error(ErrorCode::kInvalidArgument, "the host is no name that a certificate can have");
  }
  return {};
}

Status TlsStream::AwaitWish(int outcome, std::string_view doing, Deadline deadline) {
  switch (SSL_get_error(session_.get(), outcome)) {
    case SSL_ERROR_WANT_READ:
      return plain_->AwaitEvents(POLLIN, deadline);
    case SSL_ERROR_WANT_WRITE:
      return plain_->AwaitEvents(POLLOUT, deadline);
    case SSL_ERROR_ZERO_RETURN:
      return Error(ErrorCode::kUnavailable, "the server closed the connection");
    default: {
      const std::string reason = Reason(session_.get());
      ERR_clear_error();
      return Error(ErrorCode::kUnavailable, fmt::format("{}: {}", doing, reason));
    }
  }
}

Result<std::size_t> TlsStream::Write(std::string_view bytes, Deadline deadline) {
  const int size = static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX));
  while (true) {
    ERR_clear_error();
    const int written = SSL_write(session_.get(), bytes.data(), size);
    if (written > 0) return static_cast<std::size_t>(written);
    HOLDFAST_RETURN_IF_ERROR(AwaitWish(written, "sending over TLS failed", deadline));
  }
}

Result<std::size_t> TlsStream::Read(char* buffer, std::size_t size, Deadline deadline) {
  const int wanted = static_cast<int>(std::min<std::size_t>(size, INT_MAX));
  while (true) {
    ERR_clear_error();
    const int read = SSL_read(session_.get(), buffer, wanted);
    if (read > 0) return static_cast<std::size_t>(read);
    HOLDFAST_RETURN_IF_ERROR(AwaitWish(read, "receiving over TLS failed", deadline));
  }
}

bool TlsStream::HungUp() {
  // What is readable may be a session ticket, which OpenSSL takes to itself.
  char byte = 0;
  ERR_clear_error();
  const int peeked = SSL_peek(session_.get(), &byte, 1);
  const bool quiet = peeked <= 0 && SSL_get_error(session_.get(), peeked) == SSL_ERROR_WANT_READ;
  ERR_clear_error();
  return !quiet;
}

}  // namespace holdfast::redis
