// The data port's certificate, key and client authorities, read from files and read again when these change: a
// certificate is renewed without a restart. Connections keep what they began with.
//
// Metrics: holdfast_tls_certificate_expiry_timestamp_seconds, holdfast_tls_reloads_total{result}.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/metrics/metrics.h"
#include "base/result/result.h"
#include "base/tls/pem.h"
#include "service/http/http_server.h"

namespace holdfast::api {

// Shown by a server without TLS, too, as 0.
class TlsMetrics {
 public:
  explicit TlsMetrics(metrics::Registry& registry);

  metrics::Gauge& expiry() { return expiry_; }
  metrics::Counter& reloads() { return reloads_; }
  metrics::Counter& failed_reloads() { return failed_reloads_; }

 private:
  metrics::Gauge& expiry_;
  metrics::Counter& reloads_;
  metrics::Counter& failed_reloads_;
};

class TlsCertificates {
 public:
  // Reads the files and looks after them on a thread of its own. kInvalidArgument naming setting and file when one
  // cannot be read, is not PEM, or the key is not the certificate's. `metrics` outlives this.
  static Result<std::unique_ptr<TlsCertificates>> Load(const TlsOptions& options, TlsMetrics& metrics);
  ~TlsCertificates();
  TlsCertificates(const TlsCertificates&) = delete;
  TlsCertificates& operator=(const TlsCertificates&) = delete;

  // For a connection that begins now. From any thread.
  std::shared_ptr<SSL_CTX> Current() const;

 private:
  TlsCertificates(const TlsOptions& options, TlsMetrics& metrics) : options_(options), metrics_(metrics) {}

  // Takes what the files hold now, if that is something new.
  Status Read();
  void Watch();

  const TlsOptions options_;
  TlsMetrics& metrics_;
  // Of the watching thread, and of Load before it.
  std::string digest_;   // of what current_ was made of
  std::string problem_;  // why the files cannot be used now, as logged; empty = they can

  mutable std::mutex mutex_;
  std::condition_variable stop_;
  std::shared_ptr<SSL_CTX> current_;  // guarded by mutex_
  bool stopping_ = false;             // guarded by mutex_
  std::thread watcher_;
};

}  // namespace holdfast::api
