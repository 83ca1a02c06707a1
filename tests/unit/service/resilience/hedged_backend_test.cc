// Reads that are late are sent a second time, as often as the budget allows, and nothing else ever is.
#include "service/resilience/hedged_backend.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <set>

#include "tests/unit/service/resilience/scripted_backend.h"

namespace holdfast::resilience {
namespace {

using std::chrono::milliseconds;
using storage::ExecuteOne;
using storage::Operation;
using storage::OperationResult;

const Deadline kNever = Deadline::Infinite();

// Holds back the calls that it is told to, by their number from 1, until they are let go. Thread-safe.
class LateBackend final : public storage::ForwardingBackend {
 public:
  LateBackend() : ForwardingBackend(std::shared_ptr(storage::MakeMemoryBackend({}))) {}

  void Hold(std::set<int> calls) {
    {
      const std::lock_guard lock(mutex_);
      held_ = std::move(calls);
    }
    changed_.notify_all();
  }
  void LetGo() { Hold({}); }
  // Of every call, while it lasts.
  void Delay(milliseconds each) { each_ = each; }
  void Fail(int call) { failing_ = call; }
  int calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  int ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }

 private:
  template <typename Call>
  auto Late(const Call& call) {
    static_cast<void>(Begin());
    auto result = call();
    End();
    return result;
  }
  int Begin() {
    std::unique_lock lock(mutex_);
    const int call = ++calls_;
    if (each_.count() > 0) changed_.wait_for(lock, each_);
    changed_.wait(lock, [&] { return !held_.contains(call); });
    return call;
  }
  void End() {
    const std::lock_guard lock(mutex_);
    ++ended_;
  }

 public:
  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    const int call = Begin();
    if (call == failing_) {
      storage::FailAll(results, {ErrorCode::kUnavailable, "as the test has it"});
    } else {
      backend().Execute(operations, results, deadline);
    }
    End();
  }
  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override {
    return Late([&] { return backend().Transact(transaction, deadline); });
  }
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override {
    return Late([&] { return backend().Scan(request, deadline); });
  }
  Result<std::uint64_t> Count(const storage::KeyRange& range, Deadline deadline) override {
    return Late([&] { return backend().Count(range, deadline); });
  }
  Result<std::uint64_t> DeleteRange(const storage::KeyRange& range, Deadline deadline) override {
    return Late([&] { return backend().DeleteRange(range, deadline); });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::set<int> held_;  // guarded by mutex_
  int calls_ = 0;       // guarded by mutex_
  int ended_ = 0;       // guarded by mutex_
  milliseconds each_{0};
  int failing_ = 0;
};

class Hedged : public testing::Test {
 protected:
  void TearDown() override { late_->LetGo(); }
  void Use(const HedgeOptions& hedge) {
    Options options;
    options.hedge = hedge;
    guard_ = std::make_shared<Guard>("db", options, clock_);
    backend_ = MakeHedgedBackend(late_, guard_);
  }
  bool Reads() const {
    const OperationResult result = ExecuteOne(*backend_, Operation::Get("k"), kNever);
    return result.status.ok() && result.entry->value == "v";
  }
  // With calls counted from there.
  void PutOne() { ASSERT_TRUE(ExecuteOne(*late_, Operation::Put("k", "v"), kNever).status.ok()); }

  ManualClock clock_;
  const std::shared_ptr<LateBackend> late_ = std::make_shared<LateBackend>();
  std::shared_ptr<Guard> guard_;
  std::shared_ptr<storage::Backend> backend_;
};

TEST_F(Hedged, AReadThatIsLateIsAnsweredByTheSecond) {
  Use({milliseconds{5}});
  PutOne();
  late_->Hold({2});
  EXPECT_TRUE(Reads());
  EXPECT_EQ(3, late_->calls());
  EXPECT_EQ(1u, guard_->hedge_budget().taken());
  EXPECT_EQ(1u, guard_->hedges_won());
}

TEST_F(Hedged, APageOfAScanToo) {
  Use({milliseconds{5}});
  PutOne();
  late_->Hold({2});
  const auto page = backend_->Scan({}, kNever);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(1u, page->entries.size());
  EXPECT_EQ(3, late_->calls());
}

TEST_F(Hedged, AReadThatIsInTimeIsSentOnce) {
  Use({std::chrono::hours{1}});
  PutOne();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Reads());
  EXPECT_EQ(101, late_->calls());
  EXPECT_EQ(0u, guard_->hedge_budget().taken());
}

TEST_F(Hedged, TheFirstAnswerCountsWhenItComesAfterAll) {
  Use({milliseconds{5}});
  PutOne();
  late_->Hold({2, 3});
  auto read = std::async(std::launch::async, [&] { return Reads(); });
  while (late_->calls() < 3) std::this_thread::yield();
  late_->Hold({3});
  EXPECT_TRUE(read.get());
  EXPECT_EQ(0u, guard_->hedges_won());
}

// Each is slower than hedge_after by far, and alone.
TEST_F(Hedged, WhatWritesIsNeverSentTwice) {
  Use({milliseconds{1}});
  late_->Delay(milliseconds{30});
  const std::vector<std::function<void()>> calls = {
      [&] { (void)ExecuteOne(*backend_, Operation::Put("k", "v"), kNever); },
      [&] { (void)ExecuteOne(*backend_, Operation::Increment("n", 1), kNever); },
      [&] { (void)ExecuteOne(*backend_, Operation::Touch("k", storage::Expiry::Never()), kNever); },
      [&] { (void)ExecuteOne(*backend_, Operation::Take("k"), kNever); },
      [&] { (void)ExecuteOne(*backend_, Operation::Delete("k"), kNever); },
      [&] {
        const std::vector<Operation> mixed{Operation::Get("k"), Operation::Put("k", "v"), Operation::Get("k")};
        std::vector<OperationResult> results(mixed.size());
        backend_->Execute(mixed, results, kNever);
      },
      [&] {
        (void)backend_->Transact({{}, {Operation::Put("k", "v")}, {}}, kNever);
      },
      [&] { (void)backend_->Count(storage::KeyRange::All(), kNever); },
      [&] { (void)backend_->DeleteRange(storage::KeyRange::All(), kNever); },
  };
  int expected = 0;
  for (const auto& call : calls) {
    call();
    EXPECT_EQ(++expected, late_->calls());
  }
  // The control: a read that is as slow is, and slower for a busy machine.
  late_->Delay(milliseconds{1'000});
  (void)ExecuteOne(*backend_, Operation::Get("k"), kNever);
  EXPECT_EQ(expected + 2, late_->calls());
}

TEST_F(Hedged, NoMoreThanTheBudgetAllows) {
  HedgeOptions options{milliseconds{1}};
  options.percent = 25;
  Use(options);
  PutOne();
  late_->Delay(milliseconds{100});
  // One a second is there at the beginning, and the clock stands.
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Reads());
  EXPECT_EQ(6u, guard_->hedge_budget().taken());
  EXPECT_EQ(14u, guard_->hedge_budget().refused());
  EXPECT_EQ(1 + 20 + 6, late_->calls());
}

TEST_F(Hedged, AFailureDoesNotCountWhileTheOtherIsUnderWay) {
  Use({milliseconds{5}});
  PutOne();
  late_->Hold({2});
  late_->Fail(3);
  auto read = std::async(std::launch::async, [&] { return Reads(); });
  while (late_->ended() < 2) std::this_thread::yield();
  late_->LetGo();
  EXPECT_TRUE(read.get());
  EXPECT_EQ(0u, guard_->hedges_won());
}

TEST_F(Hedged, AFailureIsToldWhenThereIsNoOther) {
  Use({std::chrono::hours{1}});
  late_->Fail(1);
  EXPECT_EQ(ErrorCode::kUnavailable, ExecuteOne(*backend_, Operation::Get("k"), kNever).status.error().code());
  EXPECT_EQ(1, late_->calls());
}

TEST_F(Hedged, ReadsAboveTheLimitAreSentOnceAndAnswered) {
  HedgeOptions options{milliseconds{1}};
  options.calls = 1;
  Use(options);
  PutOne();
  late_->Hold({2});
  EXPECT_TRUE(Reads());  // its first attempt still has a thread
  EXPECT_TRUE(Reads());
  EXPECT_EQ(4, late_->calls());
}

TEST_F(Hedged, ClosedItWaitsForWhatNobodyWaitsForAnyMore) {
  Use({milliseconds{5}});
  PutOne();
  late_->Hold({2});
  EXPECT_TRUE(Reads());
  auto closed = std::async(std::launch::async, [&] { return backend_->Close().ok(); });
  late_->LetGo();
  EXPECT_TRUE(closed.get());
  EXPECT_EQ(3, late_->ended());
  EXPECT_FALSE(ExecuteOne(*backend_, Operation::Get("k"), kNever).status.ok());
}

TEST_F(Hedged, DoesNotReadOnTheThreadsOfConnections) {
  Use({milliseconds{5}});
  EXPECT_TRUE(late_->capabilities().inline_reads);
  EXPECT_FALSE(backend_->capabilities().inline_reads);
  EXPECT_EQ(late_->capabilities().inline_writes, backend_->capabilities().inline_writes);
}

}  // namespace
}  // namespace holdfast::resilience
