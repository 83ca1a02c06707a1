#include "service/http/tls_certificates.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string_view>

#include "base/log/log.h"

namespace holdfast::api {
namespace {

// Thousands of authorities; what is larger is not what the setting asks for.
constexpr std::size_t kMaxFileBytes = 1u << 20;
constexpr std::string_view kHttp11 = "\x08http/1.1";

struct Texts {
  std::string certificate;
  std::string key;
  std::string client_ca;  // empty = clients are not asked
};

// How messages call a file.
std::string Field(std::string_view setting, const std::string& path) {
  return fmt::format("listen.tls.{} ({})", setting, path);
}

Result<std::string> ReadFile(std::string_view setting, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const int failed = errno;
  if (!file) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} cannot be read: {}; name a PEM file", Field(setting, path), std::strerror(failed)));
  }
  std::string text(kMaxFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.empty() || text.size() > kMaxFileBytes) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} is empty, a folder or longer than {} bytes; name a PEM file", Field(setting, path),
                             kMaxFileBytes));
  }
  return text;
}

Result<Texts> ReadFiles(const TlsOptions& options) {
  Texts texts;
  HOLDFAST_ASSIGN_OR_RETURN(texts.certificate, ReadFile("certificate", options.certificate));
  HOLDFAST_ASSIGN_OR_RETURN(texts.key, ReadFile("key", options.key));
  if (!options.client_ca.empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(texts.client_ca, ReadFile("client_ca", options.client_ca));
  }
  return texts;
}

// The key itself is not kept in memory for comparing.
std::string DigestOf(const Texts& texts) {
  const std::string all = fmt::format("{}:{}:{}:{}{}{}", texts.certificate.size(), texts.key.size(),
                                      texts.client_ca.size(), texts.certificate, texts.key, texts.client_ca);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int bytes = 0;
  EVP_Digest(all.data(), all.size(), digest.data(), &bytes, EVP_sha256(), nullptr);
  return {reinterpret_cast<const char*>(digest.data()), bytes};
}

// HTTP/1.1 when it is among what the client offers. A client that speaks nothing else we do is told so by the handshake
// and not by a garbled answer.
int ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes, const unsigned char* offered,
                   unsigned int offered_bytes, void*) {
  unsigned char* selected = nullptr;
  const int found =
      SSL_select_next_proto(&selected, chosen_bytes, reinterpret_cast<const unsigned char*>(kHttp11.data()),
                            kHttp11.size(), offered, offered_bytes);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = selected;
  return SSL_TLSEXT_ERR_OK;
}

Status AskClients(const Texts& texts, const std::string& field, SSL_CTX* context) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto authorities, tls::ReadCertificates(texts.client_ca, field));
  HOLDFAST_RETURN_IF_ERROR(tls::TrustOnly(authorities, field, context));
  for (const auto& authority : authorities) SSL_CTX_add_client_CA(context, authority.get());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // A resumed session would carry on with a certificate that was good when it began.
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
  return {};
}

Result<std::shared_ptr<SSL_CTX>> MakeContext(const TlsOptions& options, const Texts& texts) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), tls::Freed());
  if (!context) return Error(ErrorCode::kInternal, "OpenSSL has no memory for a TLS context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Answers are sent from buffers that may move between two attempts; an idle connection keeps none of OpenSSL's.
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context.get(), ChooseProtocol, nullptr);
  HOLDFAST_RETURN_IF_ERROR(tls::Present(texts.certificate, Field("certificate", options.certificate), texts.key,
                                        Field("key", options.key), context.get()));
  if (!texts.client_ca.empty()) {
    HOLDFAST_RETURN_IF_ERROR(AskClients(texts, Field("client_ca", options.client_ca), context.get()));
  }
  return context;
}

std::time_t ExpiryOf(SSL_CTX* context) {
  std::tm time{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(context)), &time) != 1) return 0;
  return timegm(&time);
}

}  // namespace

TlsMetrics::TlsMetrics(metrics::Registry& registry)
    : expiry_(registry.GetGauge("holdfast_tls_certificate_expiry_timestamp_seconds",
                                "When the certificate of the data port expires; 0 without TLS.")),
      reloads_(registry.GetCounter("holdfast_tls_reloads_total", "Changed certificate files that were read.",
                                   {{"result", "ok"}})),
      failed_reloads_(registry.GetCounter("holdfast_tls_reloads_total", "Changed certificate files that were read.",
                                          {{"result", "failed"}})) {}

Result<std::unique_ptr<TlsCertificates>> TlsCertificates::Load(const TlsOptions& options, TlsMetrics& metrics) {
  std::unique_ptr<TlsCertificates> certificates(new TlsCertificates(options, metrics));
  HOLDFAST_RETURN_IF_ERROR(certificates->Read());
  certificates->watcher_ = std::thread([watched = certificates.get()] { watched->Watch(); });
  pthread_setname_np(certificates->watcher_.native_handle(), "tls-files");
  return certificates;
}

TlsCertificates::~TlsCertificates() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

std::shared_ptr<SSL_CTX> TlsCertificates::Current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

Status TlsCertificates::Read() {
  HOLDFAST_ASSIGN_OR_RETURN(const Texts texts, ReadFiles(options_));
  std::string digest = DigestOf(texts);
  if (digest == digest_) return {};
  HOLDFAST_ASSIGN_OR_RETURN(auto context, MakeContext(options_, texts));
  metrics_.expiry().Set(static_cast<double>(ExpiryOf(context.get())));
  const bool again = !digest_.empty();
  digest_ = std::move(digest);
  if (again) {
    metrics_.reloads().Increment();
    log::Info("read the changed TLS certificate", {{"certificate", options_.certificate}});
  }
  const std::lock_guard lock(mutex_);
  current_ = std::move(context);
  return {};
}

void TlsCertificates::Watch() {
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, options_.reload_interval, [this] { return stopping_; })) {
    lock.unlock();
    const Status read = Read();
    const std::string problem = read.ok() ? "" : read.error().message();
    if (!problem.empty() && problem != problem_) {
      metrics_.failed_reloads().Increment();
      log::Error("the changed TLS files cannot be used; the certificate read before stays in use",
                 {{"error", problem}});
    }
    problem_ = problem;
    lock.lock();
  }
}

}  // namespace holdfast::api
