// A Redis that is gone behind a circuit breaker and retries.
#include <fmt/format.h>

#include <thread>
#include <vector>

#include "tests/integration/redis/redis_service.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using RedisCircuit = RedisServiceTest;

// The value of a line of /metrics; -1 when it is not shown.
double Shown(Service& service, const std::string& series) {
  const std::string page = service.Admin("/metrics").body;
  const std::size_t at = page.find("\n" + series + " ");
  return at == std::string::npos ? -1 : std::stod(page.substr(at + series.size() + 2));
}

TEST_F(RedisCircuit, redis_fault_killed_the_circuit_of_writes_opens_and_closes_again) {
  Service service = Start(first_folder_, ", breaker: true, breaker_min_operations: 5, breaker_open: 1s");
  ASSERT_EQ(CodeOf(Put(service, "k", "1")), "ok");
  server().Kill();
  EXPECT_TRUE(Eventually([&] { return CodeOf(Put(service, "k", "2")) == "circuit_open"; }));
  const auto refused = Put(service, "k", "2");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.count("Retry-After"), 1u);
  EXPECT_GE(Shown(service, "holdfast_circuit_refused_total{backend=\"local\",calls=\"write\"}"), 1);
  ASSERT_TRUE(server().StartAgain().ok());
  EXPECT_TRUE(Eventually([&] { return CodeOf(Put(service, "k", "3")) == "ok"; }));
  EXPECT_TRUE(Eventually([&] {
    static_cast<void>(Put(service, "k", "3"));
    return Shown(service, "holdfast_circuit_state{backend=\"local\",calls=\"write\"}") == 0;
  }));
}

TEST_F(RedisCircuit, redis_fault_killed_the_storm_of_retries_stays_within_its_budget) {
  Service service = Start(first_folder_,
                          ", retry_attempts: 5, retry_initial: 1ms, retry_maximum: 2ms, retry_budget_percent: 20, "
                          "retry_budget_per_second: 0, retry_budget_burst: 2");
  ASSERT_EQ(CodeOf(Put(service, "k", "1")), "ok");
  server().Kill();
  // Each attempt takes as long as connecting is tried, so several ask at once.
  constexpr int kClients = 4;
  constexpr int kRequests = 5;
  std::vector<std::thread> clients;
  for (int client = 0; client < kClients; ++client) {
    clients.emplace_back([&] {
      for (int i = 0; i < kRequests; ++i) EXPECT_NE(CodeOf(service.Send("GET", KeyPath("k"))), "ok");
    });
  }
  for (std::thread& client : clients) client.join();
  // What is saved up, and a fifth of the calls; some of those are the service's own, the more the longer this took. A
  // call ends with a retry that is refused, or has made four, or is under way.
  const double made = Shown(service, "holdfast_retries_total{backend=\"local\",result=\"made\"}");
  const double refused = Shown(service, "holdfast_retries_total{backend=\"local\",result=\"refused\"}");
  EXPECT_GE(made, 2);
  EXPECT_LE(made, 2 + 0.2 * (refused + made / 4 + 10));
  EXPECT_GE(refused, kClients * kRequests / 2);
  ASSERT_TRUE(server().StartAgain().ok());
  EXPECT_TRUE(Eventually([&] { return CodeOf(Put(service, "k", "3")) == "ok"; }));
}

}  // namespace
}  // namespace holdfast
