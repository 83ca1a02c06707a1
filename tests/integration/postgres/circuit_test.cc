// A PostgreSQL that hangs behind a circuit breaker: requests end at once instead of at their deadlines.
#include <fmt/format.h>

#include <algorithm>

#include "tests/integration/postgres/fault_bench.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

class PostgresCircuit : public PostgresFaultTest {
 protected:
  struct Asked {
    http::ClientResponse response;
    SteadyClock::duration took{};
  };
  Asked Ask() {
    const auto began = SteadyClock::now();
    Asked asked{Get("k", "300ms"), {}};
    asked.took = SteadyClock::now() - began;
    return asked;
  }
  std::string StateOf(const std::string& calls) {
    const auto health = nlohmann::json::parse(service().Admin("/healthz").body);
    for (const auto& circuit : health.value("circuits", nlohmann::json::array())) {
      if (circuit.at("backend") == "local" && circuit.at("calls") == calls) return circuit.at("state");
    }
    return "none";
  }
  bool Shows(const std::string& line) { return service().Admin("/metrics").body.find(line) != std::string::npos; }
};

constexpr const char* kBreaker =
    ", call_timeout: 500ms, breaker: true, breaker_min_operations: 5, breaker_patience: 100ms, breaker_open: 3s";

TEST_F(PostgresCircuit, postgres_fault_frozen_the_circuit_opens_refuses_at_once_and_closes_again) {
  StartService(kBreaker);
  ASSERT_EQ(CodeOf(Put("k", "1")), "ok");
  EXPECT_EQ(StateOf("read"), "closed");

  server().Freeze();
  const auto frozen = SteadyClock::now();
  ASSERT_TRUE(Eventually([&] { return CodeOf(Ask().response) == "circuit_open"; }));
  const auto opened_after = SteadyClock::now() - frozen;
  std::vector<SteadyClock::duration> refusals;
  for (const Deadline patience = Deadline::After(std::chrono::minutes{1}); refusals.size() < 51;) {
    ASSERT_FALSE(patience.Expired()) << refusals.size();
    const Asked asked = Ask();
    if (CodeOf(asked.response) != "circuit_open") continue;  // one that was let pass after breaker_open, to look
    ASSERT_EQ(asked.response.status, 503);
    ASSERT_EQ(asked.response.headers.count("Retry-After"), 1u);
    refusals.push_back(asked.took);
  }
  std::sort(refusals.begin(), refusals.end());
  const auto median = refusals[refusals.size() / 2];
  std::printf("opened after %lld ms; refused in %lld us (median, over HTTP)\n",
              static_cast<long long>(std::chrono::duration_cast<milliseconds>(opened_after).count()),
              static_cast<long long>(std::chrono::duration_cast<std::chrono::microseconds>(median).count()));
  EXPECT_LT(median, milliseconds{50});  // without a breaker it is the 300 ms of the request, see below
  // With a call before each look, which ends a probe that became due meanwhile.
  EXPECT_TRUE(Eventually([&] { return !Ask().response.body.empty() && StateOf("read") == "open"; }));
  EXPECT_TRUE(Eventually([&] {
    return !Ask().response.body.empty() && Shows("holdfast_circuit_state{backend=\"local\",calls=\"read\"} 2");
  }));
  EXPECT_FALSE(Shows("holdfast_circuit_opened_total{backend=\"local\",calls=\"read\"} 0"));
  ExpectTheRestServes();

  server().Thaw();
  EXPECT_TRUE(Eventually([&] { return CodeOf(Ask().response) == "ok"; }));
  EXPECT_TRUE(Eventually([&] { return CodeOf(Ask().response) == "ok" && StateOf("read") == "closed"; }));
  ExpectRecovery();
}

TEST_F(PostgresCircuit, postgres_fault_frozen_without_a_breaker_requests_wait_for_their_deadlines) {
  StartService();
  ASSERT_EQ(CodeOf(Put("k", "1")), "ok");
  server().Freeze();
  std::vector<SteadyClock::duration> waits;
  for (int i = 0; i < 15; ++i) {
    const Asked asked = Ask();
    EXPECT_NE(CodeOf(asked.response), "ok");
    EXPECT_NE(CodeOf(asked.response), "circuit_open");
    waits.push_back(asked.took);
  }
  // Not every one: an attempt to connect may fail just then.
  std::sort(waits.begin(), waits.end());
  EXPECT_GE(waits[waits.size() / 2], milliseconds{250});
  EXPECT_EQ(StateOf("read"), "none");
  server().Thaw();
  ExpectRecovery();
}

// The breaker of one store is nothing to another on the same server: that one's requests wait for their deadlines.
TEST_F(PostgresCircuit, postgres_fault_frozen_a_store_with_a_breaker_of_its_own_refuses_and_its_neighbour_waits) {
  StartService("", "",
               "guarded: {backend: local, resilience: {call_timeout: 2s, breaker: true, breaker_min_operations: 2, "
               "breaker_window: 1m, breaker_open: 10m}}");
  const std::string key = "/v1/stores/guarded/keys/k";
  const auto ask = [&] { return service().Send("GET", key, {{"Holdfast-Timeout", "30s"}}); };
  ASSERT_EQ(CodeOf(service().Send("PUT", key, {}, "1")), "ok");
  ASSERT_EQ(CodeOf(Put("k", "1")), "ok");

  server().Freeze();
  http::ClientResponse answer;
  ASSERT_TRUE(Eventually([&] { return CodeOf(answer = ask()) == "circuit_open"; }));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.headers.count("Retry-After"), 1u);
  EXPECT_THAT(answer.body, testing::HasSubstr("store guarded failed too often"));
  // The control: what the neighbour is told took as long as it allows, and is not of a circuit.
  const Asked waited = Ask();
  EXPECT_NE(CodeOf(waited.response), "ok");
  EXPECT_NE(CodeOf(waited.response), "circuit_open");
  EXPECT_TRUE(Shows("holdfast_circuit_state{calls=\"read\",store=\"guarded\"} 2"));
  EXPECT_FALSE(Shows("holdfast_circuit_state{backend="));
  const auto health = nlohmann::json::parse(service().Admin("/healthz").body);
  EXPECT_EQ(health.at("store_circuits").at(0),
            (nlohmann::json{{"store", "guarded"}, {"calls", "read"}, {"state", "open"}}));
  EXPECT_FALSE(health.contains("circuits"));

  server().Thaw();
  EXPECT_TRUE(Eventually([&] { return CodeOf(Ask().response) == "ok"; }));
  EXPECT_EQ(CodeOf(ask()), "circuit_open");
  ExpectRecovery();
}

}  // namespace
}  // namespace holdfast
