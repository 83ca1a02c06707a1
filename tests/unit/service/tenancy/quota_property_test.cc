// Writers at the edge of a quota, entries that expire under them, deletes that race with replacements: the usage is
// never above the quota by more than one write per account, and in the end it is what a fresh count says.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include "service/backends/rocksdb/rocksdb_backend.h"
#include "tests/unit/service/tenancy/quota_harness.h"

namespace holdfast::tenancy {
namespace {

using std::chrono::milliseconds;
using storage::Expiry;
using storage::Operation;

constexpr int kThreads = 4;
constexpr std::int64_t kMaxBytes = 2'000;
constexpr std::int64_t kMaxKeys = 30;
constexpr std::size_t kLargestValue = 100;
// "key17", the value; what a batch or transaction of the test may write at once is three of these.
constexpr std::int64_t kLargestWrite = 3 * (5 + kLargestValue);

std::uint64_t Seed() {
  const char* text = std::getenv("HOLDFAST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
}

class Writer {
 public:
  Writer(QuotaHarness& harness, std::uint64_t seed) : harness_(harness), random_(seed) {}

  // One request; whether anything of it was refused for the quota.
  bool Step() {
    switch (Below(10)) {
      case 0:
        return Batch();
      case 1:
        return Transact();
      default:
        return IsRefusal(harness_.Do(RandomOperation()).status);
    }
  }

 private:
  std::uint64_t Below(std::uint64_t end) { return random_() % end; }
  static bool IsRefusal(const Status& status) {
    return !status.ok() && status.error().code() == ErrorCode::kResourceExhausted;
  }

  Operation RandomOperation() {
    const std::string key = KeyIn("a", fmt::format("key{}", Below(60)));
    switch (Below(8)) {
      case 0:
        return Operation::Delete(key);
      case 1:
        return Operation::Take(key);
      case 2:
        return Operation::Increment(fmt::format("{}n", key), 1);
      case 3:
        return Operation::Touch(key, Expiry::After(milliseconds{1 + Below(20)}));
      case 4:
        return Operation::Put(key, std::string(Below(kLargestValue), 'x'), {},
                              Expiry::After(milliseconds{1 + Below(20)}));
      case 5:
        return Operation::Put(key, std::string(Below(kLargestValue), 'x'), storage::Precondition::Absent());
      default:
        return Operation::Put(key, std::string(Below(kLargestValue), 'x'));
    }
  }

  bool Batch() {
    const std::vector<Operation> operations = {RandomOperation(), RandomOperation(), RandomOperation()};
    std::vector<storage::OperationResult> results(operations.size());
    harness_.limited->Execute(operations, results, Deadline::Infinite());
    return std::any_of(results.begin(), results.end(), [](const auto& result) { return IsRefusal(result.status); });
  }

  bool Transact() {
    storage::Transaction transaction;
    transaction.conditions = {{KeyIn("a", fmt::format("key{}", Below(60))), storage::Precondition::Present()}};
    transaction.then = {RandomOperation(), RandomOperation()};
    transaction.otherwise = {RandomOperation()};
    const auto result = harness_.limited->Transact(transaction, Deadline::Infinite());
    return !result.ok() && result.error().code() == ErrorCode::kResourceExhausted;
  }

  QuotaHarness& harness_;
  std::mt19937_64 random_;
};

void RunAtTheEdge(QuotaHarness& harness, int steps) {
  const std::uint64_t seed = Seed();
  SCOPED_TRACE(fmt::format("HOLDFAST_SEED={}", seed));
  harness.Count();
  harness.accounts->SetQuota("a", {kMaxBytes, kMaxKeys, std::nullopt});
  std::atomic<int> running{kThreads};
  std::atomic<int> refusals{0};
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      Writer writer(harness, seed * 1'000 + thread);
      for (int i = 0; i < steps; ++i) refusals += writer.Step();
      --running;
    });
  }
  Amount most;
  while (running > 0) {
    const Amount usage = harness.Usage("a");
    most = {std::max(most.bytes, usage.bytes), std::max(most.keys, usage.keys)};
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_LE(most.bytes, kMaxBytes + kLargestWrite);
  EXPECT_LE(most.keys, kMaxKeys + 3);
  EXPECT_GT(refusals, 0);
  // Expired entries count until they are removed.
  const Deadline deadline = Deadline::After(std::chrono::seconds{60});
  while (harness.Usage("a") != harness.Recounted("a") && !deadline.Expired()) {
    std::this_thread::sleep_for(milliseconds{10});
  }
  EXPECT_EQ(harness.Usage("a"), harness.Recounted("a"));
  // Nothing stays set aside: what is left of the quota can be used to the last byte.
  const Amount usage = harness.Usage("a");
  if (usage.keys < kMaxKeys && usage.bytes + 10 <= kMaxBytes) {
    const auto size = static_cast<std::size_t>(kMaxBytes - usage.bytes - 4);
    EXPECT_TRUE(harness.Do(Operation::Put(KeyIn("a", "last"), std::string(size, 'x'))).status.ok());
  }
}

TEST(QuotaProperty, UsageHoldsAndEqualsARecountInMemory) {
  QuotaHarness harness(storage::MakeMemoryBackend({}), SystemClock());
  RunAtTheEdge(harness, 4'000);
}

TEST(QuotaProperty, UsageHoldsAndEqualsARecountInRocksDb) {
  std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-quota-XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  storage::RocksDbOptions options;
  options.path = pattern;
  options.durability = storage::Durability::kOs;
  {
    auto backend = storage::OpenRocksDbBackend(options);
    ASSERT_TRUE(backend.ok()) << backend.error().message();
    QuotaHarness harness(std::move(backend).value(), SystemClock());
    RunAtTheEdge(harness, 1'000);
    ASSERT_TRUE(harness.raw->Close().ok());
  }
  {
    auto backend = storage::OpenRocksDbBackend(options);
    ASSERT_TRUE(backend.ok()) << backend.error().message();
    QuotaHarness again(std::move(backend).value(), SystemClock());
    again.Count();
    EXPECT_EQ(again.Usage("a"), again.Recounted("a"));
    ASSERT_TRUE(again.raw->Close().ok());
  }
  std::error_code ignored;
  std::filesystem::remove_all(pattern, ignored);
}

}  // namespace
}  // namespace holdfast::tenancy
