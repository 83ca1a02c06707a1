// The HTTP server with nothing behind it: a fixed 100-byte answer, for comparison with `return 200` of nginx.
//
//   bench_http_echo PORT [THREADS]     serves on 127.0.0.1 until its standard input ends
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "base/metrics/metrics.h"
#include "service/http/http_server.h"

namespace {

using holdfast::api::BodyTerms;
using holdfast::api::Handler;
using holdfast::api::HttpServer;
using holdfast::api::Request;
using holdfast::api::Responder;
using holdfast::api::Response;

class FixedAnswer final : public Handler {
 public:
  FixedAnswer() {
    auto entry = std::make_shared<holdfast::storage::Entry>();
    entry->value = std::string(100, 'x');
    entry_ = std::move(entry);
  }

  void Handle(Request&, Responder responder) override {
    Response response;
    response.content_type = "text/plain";
    response.entry = entry_;
    responder.Send(std::move(response));
  }
  BodyTerms TermsOfBody(const Request&) const override { return {.max_bytes = 1u << 20}; }
  Response Refuse(int status, std::string_view, std::string_view detail) const override {
    Response response;
    response.status = status;
    response.body = detail;
    return response;
  }

 private:
  holdfast::storage::EntryPtr entry_;
};

}  // namespace

int main(int argc, char** argv) {
  holdfast::api::ServerOptions options;
  options.port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  options.threads = argc > 2 ? std::atoi(argv[2]) : 0;
  holdfast::metrics::Registry registry;
  auto server = HttpServer::Start(options, std::make_shared<FixedAnswer>(), registry);
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.error().ToString().c_str());
    return 1;
  }
  std::printf("%u\n", static_cast<unsigned>((*server)->port()));
  std::fflush(stdout);
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  (*server)->Shutdown(holdfast::Deadline::After(std::chrono::seconds(1)));
  return 0;
}
