// A server with a handler that writes down what reached it and answers as the path says.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/metrics/metrics.h"
#include "service/http/http_server.h"
#include "tests/integration/http_framing/raw_client.h"

namespace holdfast::api::testing {

// Paths: /later (answered by another thread), /hold (kept until Release), /watched (the same, and Gone counts the
// clients that left first), /drop (the responder is dropped), /throw, /entry?N (N bytes, not copied), /status?N,
// /close, /stream (what AnswerStreamsWith was given), /peer (who asks); everything else echoes "METHOD path?query
// body".
class RecordingHandler final : public Handler {
 public:
  static constexpr std::size_t kMaxBody = 100'000;

  void AnswerStreamsWith(std::function<std::shared_ptr<BodyStream>()> streams) {
    const std::lock_guard lock(mutex_);
    streams_ = std::move(streams);
  }

  ~RecordingHandler() override {
    for (std::thread& thread : threads_) thread.join();
  }

  void Handle(Request& request, Responder responder) override {
    std::string line = std::string(request.method_name) + ' ' + std::string(request.path);
    if (!request.query.empty()) line += '?' + std::string(request.query);
    if (!request.body.empty()) line += ' ' + request.body;
    Record(line);
    Response response;
    response.content_type = "text/plain";
    response.body = line;
    if (request.path == "/later") {
      // The one thread per request stands for an executor; joined when the handler goes.
      const std::lock_guard lock(mutex_);
      threads_.emplace_back([kept = std::make_shared<Responder>(std::move(responder)), response]() mutable {
        kept->Send(std::move(response));
      });
      return;
    }
    if (request.path == "/hold" || request.path == "/watched") {
      if (request.path == "/watched") {
        responder.WhenGone([this, kept = kept_] { ++gone_; });
      }
      const std::lock_guard lock(mutex_);
      held_.push_back(std::move(responder));
      return;
    }
    if (request.path == "/drop") return;
    if (request.path == "/throw") throw std::runtime_error("thrown by the test");
    if (request.path == "/entry") {
      auto entry = std::make_shared<storage::Entry>();
      entry->value.assign(std::stoul(std::string(request.query)), 'e');
      response.entry = std::move(entry);
    }
    if (request.path == "/peer") response.body = Peer(request);
    if (request.path == "/stream") response.stream = NextStream();
    if (request.path == "/status") response.status = std::stoi(std::string(request.query));
    response.close = request.path == "/close";
    responder.Send(std::move(response));
  }

  BodyTerms TermsOfBody(const Request&) const override { return {.max_bytes = kMaxBody}; }

  Response Refuse(int status, std::string_view code, std::string_view detail) const override {
    Response response;
    response.status = status;
    response.content_type = "application/problem+json";
    response.body = std::string(code) + ": " + std::string(detail);
    return response;
  }

  std::vector<std::string> Recorded() const {
    const std::lock_guard lock(mutex_);
    return recorded_;
  }
  std::size_t Held() const {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }
  std::vector<Responder> TakeHeld() {
    const std::lock_guard lock(mutex_);
    return std::exchange(held_, {});
  }
  int Gone() const { return gone_; }
  // How many callbacks are neither called nor let go.
  long Watched() const { return kept_.use_count() - 1; }
  void Release() {
    for (Responder& responder : TakeHeld()) {
      Response response;
      response.body = "released";
      responder.Send(std::move(response));
    }
  }

 private:
  static std::string Peer(const Request& request) {
    std::string text(request.peer_address);
    if (request.client_certificate == nullptr) return text;
    text += " CN=" + request.client_certificate->common_name;
    for (const std::string& name : request.client_certificate->dns_names) text += " DNS:" + name;
    for (const std::string& uri : request.client_certificate->uris) text += " URI:" + uri;
    return text;
  }
  std::shared_ptr<BodyStream> NextStream() {
    const std::lock_guard lock(mutex_);
    return streams_();
  }
  void Record(const std::string& line) {
    const std::lock_guard lock(mutex_);
    recorded_.push_back(line);
  }

  mutable std::mutex mutex_;
  std::function<std::shared_ptr<BodyStream>()> streams_;  // guarded by mutex_
  std::vector<std::string> recorded_;                     // guarded by mutex_
  std::vector<Responder> held_;                           // guarded by mutex_
  const std::shared_ptr<int> kept_ = std::make_shared<int>();
  std::atomic<int> gone_{0};
  std::vector<std::thread> threads_;  // guarded by mutex_ until the end
};

class ServerTest : public ::testing::Test {
 protected:
  // Called by a test that wants limits of its own, before the first client; otherwise by Connect.
  void Serve(const ServerLimits& limits = {}, int threads = 1, std::optional<TlsOptions> tls = std::nullopt) {
    ServerOptions options;
    options.port = 0;
    options.threads = threads;
    options.limits = limits;
    options.tls = std::move(tls);
    auto server = HttpServer::Start(options, handler_, registry_);
    ASSERT_TRUE(server.ok()) << server.error().ToString();
    server_ = std::move(*server);
  }
  RawClient Connect(int receive_buffer_bytes = 0) {
    if (!server_) Serve();
    return RawClient(server_->port(), receive_buffer_bytes);
  }
  double Connections() { return registry_.GetGauge("holdfast_http_connections", "").Value(); }
  double Refused(const std::string& reason) {
    return registry_.GetCounter("holdfast_http_refused_total", "", {{"reason", reason}}).Value();
  }

  std::shared_ptr<RecordingHandler> handler_ = std::make_shared<RecordingHandler>();
  metrics::Registry registry_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace holdfast::api::testing
