// Serving a request allocates nothing: buffers, parser, timers and answers are reused. What a handler puts into its
// Response is the handler's own.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <string>

#include "tests/integration/http_framing/allocation_count.h"
#include "tests/integration/http_framing/server_fixture.h"

namespace holdfast::api::testing {
namespace {

class QuietHandler final : public Handler {
 public:
  QuietHandler() {
    auto entry = std::make_shared<storage::Entry>();
    entry->value.assign(100, 'v');
    entry_ = std::move(entry);
  }
  void Handle(Request& request, Responder responder) override {
    Response response;
    if (request.method == Method::kGet) {
      response.entry = entry_;
    } else {
      response.status = 204;
    }
    responder.Send(std::move(response));
  }
  BodyTerms TermsOfBody(const Request&) const override { return {.max_bytes = 1000}; }
  Response Refuse(int status, std::string_view, std::string_view) const override {
    Response response;
    response.status = status;
    return response;
  }

 private:
  storage::EntryPtr entry_;
};

class Allocations : public ::testing::TestWithParam<std::string> {};

TEST_P(Allocations, NonePerRequest) {
  ServerOptions options;
  options.port = 0;
  options.threads = 1;
  metrics::Registry registry;
  auto server = HttpServer::Start(options, std::make_shared<QuietHandler>(), registry);
  ASSERT_TRUE(server.ok());
  RawClient client((*server)->port());
  const std::string& request = GetParam();
  client.Send(request);
  std::array<char, 4096> first;
  const ssize_t answer_bytes = ::recv(client.socket(), first.data(), first.size(), 0);
  ASSERT_GT(answer_bytes, 0);
  const auto exchange = [&] { return client.Exchange(request, static_cast<std::size_t>(answer_bytes)); };
  for (int warm = 0; warm < 100; ++warm) ASSERT_TRUE(exchange());

  const std::size_t before = AllocationsOfEveryThread();
  bool all = true;
  for (int i = 0; i < 1000; ++i) all = exchange() && all;
  const std::size_t after = AllocationsOfEveryThread();
  EXPECT_TRUE(all);
  EXPECT_EQ(after - before, 0u) << "in 1000 requests";
}

INSTANTIATE_TEST_SUITE_P(
    Of, Allocations,
    ::testing::Values(Get("/v1/stores/_default/keys/k", "Accept: */*\r\nUser-Agent: something of ordinary length\r\n"),
                      "PUT /k HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'b')),
    [](const auto& instance) { return instance.param.substr(0, 3); });

}  // namespace
}  // namespace holdfast::api::testing
