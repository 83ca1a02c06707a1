// The running service under concurrent clients on connections of their own: what they are told over HTTP is what a
// single thread could have been told. HOLDFAST_SEED chooses what they ask.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/integration/service/service_fixture.h"
#include "tests/linearizability/checker.h"
#include "tests/linearizability/http_caller.h"

namespace holdfast::linearizability {
namespace {

constexpr int kRounds = 20;

class HttpLinearizability : public ServiceTest {
 protected:
  void ExpectSound(bool transactions) {
    std::printf("HOLDFAST_SEED=%llu\n", static_cast<unsigned long long>(Seed()));
    Service service = Start();
    std::size_t calls = 0;
    for (int round = 0; round < kRounds; ++round) {
      Workload workload;
      workload.seed = Seed() * 10'000 + static_cast<std::uint64_t>(round);
      workload.transactions = transactions;
      workload.deletes_if_absent = false;
      for (const char* name : {"a", "b", "c"}) workload.keys.push_back(std::to_string(round) + name);
      const History history = linearizability::Run(workload, [&service] { return CallHttp(service.port()); });
      calls += history.size();
      if (transactions) {
        ASSERT_EQ(Check(history).explanation, "") << "HOLDFAST_SEED=" << Seed();
        continue;
      }
      for (const auto& [key, part] : ByKey(history)) {
        ASSERT_EQ(Check(part).explanation, "") << "HOLDFAST_SEED=" << Seed();
      }
    }
    EXPECT_GE(calls, 10'000u);
  }
};

TEST_P(HttpLinearizability, SingleOperations) {
  ExpectSound(false);
}
TEST_P(HttpLinearizability, Transactions) {
  ExpectSound(true);
}

HOLDFAST_ON_BOTH_BACKENDS(HttpLinearizability);

}  // namespace
}  // namespace holdfast::linearizability
