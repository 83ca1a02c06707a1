// Concurrent acquires and releases, checked as a history: every answer must fit one order of the operations in which
// the lock is a lock. The positive control breaks the backend's conditions and must be found out.
#include "tests/unit/service/coordination/lock_history.h"

#include <atomic>
#include <cstdlib>
#include <random>

#include "service/coordination/lock.h"
#include "service/storage/forwarding_backend.h"
#include "tests/unit/service/coordination/coordination_fixture.h"

namespace holdfast::coordination {
namespace {

using storage::Backend;

// Writes the branch whether or not its conditions hold.
class WithoutConditions : public storage::ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;

  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override {
    storage::Transaction broken = transaction;
    broken.conditions.clear();
    return backend().Transact(broken, deadline);
  }
};

// Who meets others too often is refused with nothing done, and asks again, as clients do.
template <typename Call>
auto UntilNotContended(const Call& call) {
  auto result = call();
  while (!result.ok() && result.error().code() == ErrorCode::kUnavailable) {
    std::this_thread::yield();
    result = call();
  }
  return result;
}

class LockHistoryTest : public CoordinationTest {
 protected:
  History Run(Backend& backend, int acquires_per_thread) {
    constexpr int kThreads = 4;
    std::atomic<std::uint64_t> now{0};
    std::vector<History> parts(kThreads);
    std::vector<std::thread> threads;
    for (History& part : parts) {
      threads.emplace_back([&, mine = &part] {
        for (int i = 0; i < acquires_per_thread; ++i) {
          Tenure tenure;
          const Lease lease = NewLease();
          tenure.acquire.begin = ++now;
          const auto result = UntilNotContended([&] {
            return TryAcquire(backend, "a", "me", lease, std::chrono::hours{1}, clock(), Deadline::Infinite());
          });
          tenure.acquire.end = ++now;
          ASSERT_TRUE(result.ok()) << result.error().ToString();
          const auto* const grant = std::get_if<Grant>(&*result);
          if (grant == nullptr) {
            mine->refusals.push_back(tenure.acquire);
            std::this_thread::yield();
            continue;
          }
          tenure.token = grant->token;
          std::this_thread::yield();
          tenure.release.begin = ++now;
          const auto released = UntilNotContended([&] { return Release(backend, "a", lease, Deadline::Infinite()); });
          tenure.release.end = ++now;
          EXPECT_TRUE(released.ok());
          mine->tenures.push_back(tenure);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    History all;
    for (const History& part : parts) {
      all.tenures.insert(all.tenures.end(), part.tenures.begin(), part.tenures.end());
      all.refusals.insert(all.refusals.end(), part.refusals.begin(), part.refusals.end());
    }
    return all;
  }
};

TEST_P(LockHistoryTest, ConcurrentAcquiresAndReleasesAreLinearisable) {
  const History history = Run(rooms(), 2'500);
  EXPECT_GT(history.tenures.size(), 100u);
  EXPECT_EQ(FindFault(history), "");
}

TEST_P(LockHistoryTest, PositiveControlABackendWithoutConditionsIsFoundOut) {
  WithoutConditions broken(tenant().rooms);
  std::string fault;
  // Threads have to collide; how soon they do is the scheduler's choice.
  for (int round = 0; round < 200 && fault.empty(); ++round) fault = FindFault(Run(broken, 500));
  EXPECT_NE(fault, "");
}

INSTANTIATE_TEST_SUITE_P(Backends, LockHistoryTest, OnEveryBackend(), BackendName);

TEST(LockHistoryCheckTest, TellsGoodFromBad) {
  EXPECT_EQ(FindFault({{{{1, 2}, {3, 4}, 10}, {{5, 6}, {7, 8}, 11}}, {{2, 3}}}), "");
  EXPECT_EQ(FindFault({{{{1, 5}, {6, 9}, 10}, {{7, 10}, {11, 12}, 11}}, {}}), "");
  EXPECT_NE(FindFault({{{{1, 2}, {7, 8}, 10}, {{3, 4}, {5, 6}, 11}}, {}}), "");
  EXPECT_NE(FindFault({{{{1, 2}, {3, 4}, 11}, {{5, 6}, {7, 8}, 10}}, {}}), "");
  EXPECT_NE(FindFault({{{{1, 2}, {3, 4}, 10}, {{5, 6}, {7, 8}, 10}}, {}}), "");
  EXPECT_NE(FindFault({{{{1, 2}, {3, 4}, 10}}, {{5, 6}}}), "");
}

}  // namespace
}  // namespace holdfast::coordination
