#include "service/backends/memory/memory_backend.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace holdfast::storage {
namespace {

using std::chrono::seconds;
const Deadline kNever = Deadline::Infinite();

std::string CodeOf(const OperationResult& result) {
  return result.status.ok() ? "ok" : std::string(ErrorCodeName(result.status.error().code()));
}

class MemoryBackendTest : public testing::Test {
 protected:
  void Make(std::uint64_t max_bytes) {
    MemoryOptions options;
    options.max_bytes = max_bytes;
    backend_ = MakeMemoryBackend(options, clock_);
  }
  std::string Run(const Operation& operation) { return CodeOf(ExecuteOne(*backend_, operation, kNever)); }

  ManualClock clock_;
  std::unique_ptr<Backend> backend_;
};

TEST_F(MemoryBackendTest, WhenFullWritesAreRefusedAndEverythingElseWorks) {
  Make(100'000);
  const std::string value(10'000, 'v');
  int stored = 0;
  std::string code;
  while ((code = Run(Operation::Put("k" + std::to_string(stored), value))) == "ok") ++stored;
  EXPECT_EQ("resource_exhausted", code);
  EXPECT_EQ(9, stored);
  const OperationResult refused = ExecuteOne(*backend_, Operation::Put("more", value), kNever);
  EXPECT_NE(std::string::npos, refused.status.error().message().find("max_bytes is 100000"));
  EXPECT_EQ("not_found", Run(Operation::Get("more")));
  EXPECT_LE(backend_->statistics().bytes, 100'000u);

  EXPECT_EQ("ok", Run(Operation::Get("k0")));
  EXPECT_EQ("ok", Run(Operation::Put("k0", value))) << "a replacement of the same size needs no room";
  EXPECT_EQ("resource_exhausted", Run(Operation::Put("k0", value + value)));
  EXPECT_EQ("ok", Run(Operation::Get("k0")));
  EXPECT_EQ("ok", Run(Operation::Delete("k1")));
  EXPECT_EQ("ok", Run(Operation::Put("more", value)));
}

TEST_F(MemoryBackendTest, ATransactionThatDoesNotFitChangesNothing) {
  Make(10'000);
  ASSERT_EQ("ok", Run(Operation::Put("a", "old")));
  Transaction transaction;
  transaction.then = {Operation::Put("a", "new"), Operation::Put("b", std::string(10'000, 'v'))};
  const Result<TransactionResult> result = backend_->Transact(transaction, kNever);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(ErrorCode::kResourceExhausted, result.error().code());
  EXPECT_EQ("old", ExecuteOne(*backend_, Operation::Get("a"), kNever).entry->value);
}

TEST_F(MemoryBackendTest, AFullBackendIsNotHealthy) {
  Make(1000);
  EXPECT_TRUE(backend_->CheckHealth(kNever).ok());
  ASSERT_EQ("ok", Run(Operation::Put("a", std::string(600, 'v'))));
  EXPECT_EQ(ErrorCode::kResourceExhausted, backend_->CheckHealth(kNever).error().code());
}

TEST_F(MemoryBackendTest, TheAccountIsEvenAfterEveryKindOfChange) {
  Make(0);
  const auto run = [&](const Operation& operation) { (void)Run(operation); };
  for (int i = 0; i < 200; ++i) {
    const std::string key = "k" + std::to_string(i);
    run(Operation::Put(key, std::string(static_cast<std::size_t>(i), 'v'), {}, Expiry::After(seconds{1 + i % 2})));
    run(Operation::Put(key, "shorter", {}, Expiry::Keep()));
    run(Operation::Touch(key, Expiry::After(seconds{5})));
    run(Operation::Increment("n" + key, 1));
    if (i % 3 == 0) run(Operation::Take(key));
    if (i % 5 == 0) run(Operation::Delete(key));
    Transaction transaction;
    transaction.then = {Operation::Put("t", key), Operation::Delete("t"), Operation::Put("t" + key, key)};
    ASSERT_TRUE(backend_->Transact(transaction, kNever).ok());
  }
  clock_.Advance(seconds{5});
  const Deadline patience = Deadline::After(seconds{20});
  while (backend_->statistics().entries > 400 && !patience.Expired()) std::this_thread::yield();
  EXPECT_EQ(400u, backend_->statistics().entries);
  EXPECT_TRUE(backend_->DeleteRange(KeyRange::All(), kNever).ok());
  EXPECT_EQ(0u, backend_->statistics().entries);
  EXPECT_EQ(0u, backend_->statistics().bytes);
}

// For ThreadSanitizer: the sweeper, which runs from the start, read the listener while it was being set.
TEST_F(MemoryBackendTest, AListenerCanBeExchangedWhileTheSweeperTells) {
  struct Count : ChangeListener {
    void OnChange(std::string_view, const EntryPtr&, const EntryPtr&, ChangeCause cause) noexcept override {
      if (cause == ChangeCause::kExpired) told.fetch_add(1);
    }
    std::atomic<int>& told;
    explicit Count(std::atomic<int>& counter) : told(counter) {}
  };
  MemoryOptions options;
  backend_ = MakeMemoryBackend(options, SystemClock());
  std::atomic<int> told{0};
  const auto until = std::chrono::steady_clock::now() + seconds{10};
  for (int i = 0; told < 100 && std::chrono::steady_clock::now() < until; ++i) {
    const Expiry soon = Expiry::After(std::chrono::microseconds{1});
    EXPECT_EQ("ok", Run(Operation::Put("k" + std::to_string(i % 1000), "v", {}, soon)));
    backend_->SetChangeListener(std::make_shared<Count>(told));
  }
  EXPECT_GE(told, 100);
  backend_->SetChangeListener(nullptr);
}

TEST_F(MemoryBackendTest, ALaterRunStartsAboveTheVersionsOfAnEarlierOne) {
  Version highest = 0;
  for (int run = 0; run < 3; ++run) {
    Make(0);
    for (int i = 0; i < 1000; ++i) {
      const Version version = ExecuteOne(*backend_, Operation::Put("k", "v"), kNever).version;
      EXPECT_GT(version, highest);
      highest = version;
    }
    clock_.Advance(std::chrono::microseconds{1});  // no process restarts faster
  }
}

}  // namespace
}  // namespace holdfast::storage
