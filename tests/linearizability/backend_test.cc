// Every backend under concurrent clients, and the same with a bug put in, which must be caught. HOLDFAST_SEED chooses
// what the clients ask.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/conformance/backend_under_test.h"
#include "tests/linearizability/faulty_backends.h"
#include "tests/linearizability/rounds.h"

namespace holdfast::linearizability {
namespace {

constexpr int kRounds = 20;
constexpr int kMostRoundsToBeCaught = 2'000;

class BackendLinearizability : public testing::TestWithParam<storage::conformance::BackendUnderTest> {
 protected:
  void ExpectSound(bool transactions) {
    std::printf("HOLDFAST_SEED=%llu\n", static_cast<unsigned long long>(Seed()));
    const auto harness = GetParam().make(storage::Limits{});
    std::size_t calls = 0;
    for (int round = 0; round < kRounds; ++round) {
      ASSERT_EQ(Broken(harness->backend(), Round(round, transactions), &calls), "") << "HOLDFAST_SEED=" << Seed();
    }
    EXPECT_GE(calls, 10'000u);
  }

  template <typename Faulty>
  void ExpectCaught(bool transactions) {
    const auto harness = GetParam().make(storage::Limits{});
    Faulty faulty(std::shared_ptr<storage::Backend>(std::shared_ptr<void>(), &harness->backend()));  // owned above
    std::size_t calls = 0;
    for (int round = 0; round < kMostRoundsToBeCaught; ++round) {
      if (!Broken(faulty, Round(round, transactions), &calls).empty()) return;
    }
    FAIL() << "the bug was not caught in " << calls << " calls, HOLDFAST_SEED=" << Seed();
  }
};

TEST_P(BackendLinearizability, SingleOperations) {
  ExpectSound(false);
}
TEST_P(BackendLinearizability, Transactions) {
  ExpectSound(true);
}
TEST_P(BackendLinearizability, ControlLostUpdatesAreCaught) {
  ExpectCaught<LostUpdates>(false);
}
TEST_P(BackendLinearizability, ControlStaleReadsAreCaught) {
  ExpectCaught<StaleReads>(false);
}
TEST_P(BackendLinearizability, ControlTornTransactionsAreCaught) {
  ExpectCaught<TornTransactions>(true);
}

INSTANTIATE_TEST_SUITE_P(
    Backends, BackendLinearizability,
    testing::Values(
        storage::conformance::MemoryUnderTest(), storage::conformance::RelaxedRocksDbUnderTest(),
        storage::conformance::PostgresUnderTest(),
        storage::conformance::TieredUnderTest("tiered_memory_rocksdb", storage::conformance::RelaxedRocksDbUnderTest()),
        storage::conformance::FailoverUnderTest("failover_rocksdb_memory",
                                                storage::conformance::RelaxedRocksDbUnderTest(),
                                                storage::conformance::MemoryUnderTest()),
        storage::conformance::ReplicatedUnderTest("replicated_rocksdb", storage::conformance::RocksDbOnClock),
        storage::conformance::MemoryToRocksDbUnderTest("verified"),
        storage::conformance::MemoryToRocksDbUnderTest("reads_switched")),
    [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace holdfast::linearizability
