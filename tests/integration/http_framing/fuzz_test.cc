// A thousand byte streams, mutated from sound and unsound requests or made of noise: the server answers or closes each
// within its timeouts, and serves on. HOLDFAST_SEED repeats a run.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "tests/integration/http_framing/server_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::api::testing {
namespace {

const std::vector<std::string>& Seeds() {
  static const std::vector<std::string> seeds = {
      Get("/a?b=c"),
      Get("/later", "Connection: keep-alive\r\nAccept: */*\r\n"),
      Get("/entry?5000", "Connection: close\r\n"),
      "HEAD / HTTP/1.0\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
      "PUT /k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
      "PUT /k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;e=f\r\nhello\r\n0\r\nA: b\r\n\r\n",
      "PUT /k HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
      "POST /drop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
      "GET /throw HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
  };
  return seeds;
}

std::string MakeStream(std::mt19937_64& random) {
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  static constexpr std::string_view kTricky = "\r\n \t:;,0\x00\x7f\xff/";
  std::string stream;
  for (std::size_t part = 0; part <= below(4); ++part) stream += Seeds()[below(Seeds().size())];
  if (below(10) == 0) {
    for (char& c : stream) c = static_cast<char>(random());
  }
  for (std::size_t change = below(8); change > 0 && !stream.empty(); --change) {
    const std::size_t at = below(stream.size());
    switch (below(5)) {
      case 0:
        stream[at] = static_cast<char>(random());
        break;
      case 1:
        stream[at] = kTricky[below(kTricky.size())];
        break;
      case 2:
        stream.erase(at, 1 + below(8));
        break;
      case 3:
        stream.insert(at, stream.substr(below(stream.size()), 1 + below(32)));
        break;
      default:
        stream.resize(at);
        break;
    }
  }
  return stream;
}

TEST_F(ServerTest, RandomStreamsAreAlwaysAnsweredOrClosed) {
  const char* const given = std::getenv("HOLDFAST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  ServerLimits limits;
  limits.header_timeout = limits.body_timeout = limits.idle_timeout = limits.write_timeout = limits.linger_timeout =
      std::chrono::milliseconds{200};
  Serve(limits, 2);
  constexpr int kStreams = 1000;
  constexpr int kAtOnce = 250;
  for (int done = 0; done < kStreams; done += kAtOnce) {
    std::vector<RawClient> clients;
    std::vector<std::string> streams;
    for (int i = 0; i < kAtOnce; ++i) {
      clients.push_back(Connect());
      streams.push_back(MakeStream(random));
      clients.back().Send(streams.back());
      if (random() % 4 == 0) clients.back().FinishSending();
    }
    for (std::size_t i = 0; i < clients.size(); ++i) {
      const auto answer = clients[i].ReadToEnd();
      ASSERT_TRUE(answer) << "neither answered nor closed: " << ::testing::PrintToString(streams[i]);
      EXPECT_TRUE(answer->empty() || answer->starts_with("HTTP/1.1 ")) << ::testing::PrintToString(streams[i]);
    }
  }
  EXPECT_TRUE(Eventually([&] { return Connections() == 0; }));
  RawClient client = Connect();
  client.Send(Get("/still-there"));
  EXPECT_EQ(client.ReadResponse()->body, "GET /still-there");
}

}  // namespace
}  // namespace holdfast::api::testing
