#include "service/resilience/resilient_backend.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "tests/unit/service/resilience/scripted_backend.h"

namespace holdfast::resilience {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using storage::Operation;
using storage::OperationResult;

const Deadline kNever = Deadline::Infinite();

std::string CodeName(const Status& status) {
  return status.ok() ? "ok" : std::string(ErrorCodeName(status.error().code()));
}
template <typename T>
std::string CodeName(const Result<T>& result) {
  return result.ok() ? "ok" : std::string(ErrorCodeName(result.error().code()));
}

class Resilient : public testing::Test {
 protected:
  void Use(const Options& options) {
    guard_ = std::make_shared<Guard>("db", options, clock_);
    backend_ = MakeResilientBackend(scripted_, guard_);
  }
  std::string Run(const Operation& operation, Deadline deadline = kNever) {
    return CodeName(storage::ExecuteOne(*backend_, operation, deadline).status);
  }
  static Options Retrying(int attempts) {
    Options options;
    options.attempts = attempts;
    options.backoff = {milliseconds{1}, milliseconds{2}, 1.0};
    return options;
  }
  static Options Breaking() {
    Options options;
    options.breaker = true;
    options.circuit.min_operations = 4;
    return options;
  }

  ManualClock clock_;
  const std::shared_ptr<ScriptedBackend> scripted_ = std::make_shared<ScriptedBackend>();
  std::shared_ptr<Guard> guard_;
  std::shared_ptr<storage::Backend> backend_;
};

TEST_F(Resilient, TriesAgainWhatWasNotDone) {
  Use(Retrying(3));
  scripted_->FailNext(ErrorCode::kUnavailable, 2);
  EXPECT_EQ(Run(Operation::Put("k", "1")), "ok");
  EXPECT_EQ(scripted_->calls(), 3);
  EXPECT_EQ(guard_->budget().taken(), 2u);
  scripted_->FailNext(ErrorCode::kUnavailable, 3);
  EXPECT_EQ(Run(Operation::Get("k")), "unavailable");
  EXPECT_EQ(scripted_->calls(), 6);
}

TEST_F(Resilient, NeverTriesAgainWhatMayHaveBeenDone) {
  Use(Retrying(5));
  scripted_->FailNext(ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(Run(Operation::Increment("n", 1)), "outcome_unknown");
  EXPECT_EQ(scripted_->calls(), 1);
  // Neither when a first attempt was refused for certain.
  scripted_->FailNext(ErrorCode::kUnavailable);
  scripted_->FailNext(ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(Run(Operation::Increment("n", 1)), "outcome_unknown");
  EXPECT_EQ(scripted_->calls(), 3);
  scripted_->FailNext(ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(CodeName(backend_->Transact({}, kNever)), "outcome_unknown");
  EXPECT_EQ(scripted_->calls(), 4);
}

TEST_F(Resilient, TransactionsAndScansAreTriedAgainToo) {
  Use(Retrying(3));
  scripted_->FailNext(ErrorCode::kUnavailable, 2);
  EXPECT_EQ(CodeName(backend_->Transact({}, kNever)), "ok");
  scripted_->FailNext(ErrorCode::kUnavailable, 1);
  EXPECT_EQ(CodeName(backend_->Scan({}, kNever)), "ok");
  EXPECT_EQ(scripted_->calls(), 5);
}

TEST_F(Resilient, AStormReachesTheBackendAtMostAsItsBudgetSays) {
  Options options = Retrying(10);
  options.budget = {.percent = 20, .per_second = 5, .burst = 10};
  options.backoff = {std::chrono::microseconds{1}, std::chrono::microseconds{1}, 1.0};
  Use(options);
  constexpr int kCalls = 500;
  scripted_->FailNext(ErrorCode::kUnavailable, kCalls * 10);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 5; ++thread) {
    threads.emplace_back([this] {
      for (int i = 0; i < kCalls / 5; ++i) EXPECT_EQ(Run(Operation::Get("k")), "unavailable");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(scripted_->calls(), kCalls + kCalls * 20 / 100 + 10);
  EXPECT_GT(scripted_->calls(), kCalls + 50);
}

TEST_F(Resilient, NoAttemptBeginsBehindTheDeadline) {
  Options options = Retrying(10);
  options.backoff = {std::chrono::hours{1}, std::chrono::hours{1}, 0};
  Use(options);
  scripted_->FailNext(ErrorCode::kUnavailable, 2);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(Run(Operation::Get("k"), Deadline::After(std::chrono::minutes{2})), "unavailable");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::minutes{1});
  EXPECT_EQ(scripted_->calls(), 1);
}

TEST_F(Resilient, ClosingEndsThePauses) {
  Options options = Retrying(10);
  options.backoff = {std::chrono::hours{1}, std::chrono::hours{1}, 0};
  Use(options);
  scripted_->FailNext(ErrorCode::kUnavailable, 2);
  auto waits = std::async(std::launch::async, [this] { return Run(Operation::Get("k")); });
  while (guard_->budget().taken() == 0) std::this_thread::yield();
  EXPECT_TRUE(backend_->Close().ok());
  EXPECT_EQ(waits.get(), "unavailable");
}

TEST_F(Resilient, TheCircuitOpensRefusesAtOnceAndClosesAgain) {
  Use(Breaking());
  scripted_->FailNext(ErrorCode::kUnavailable, 4);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Run(Operation::Put("k", "1")), "unavailable");
  EXPECT_EQ(guard_->circuit(Lane::kWrite)->state(), CircuitState::kOpen);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Run(Operation::Put("k", "1")), "circuit_open");
  EXPECT_EQ(CodeName(backend_->Transact({}, kNever)), "circuit_open");
  EXPECT_EQ(CodeName(backend_->DeleteRange(storage::KeyRange::All(), kNever)), "circuit_open");
  EXPECT_EQ(scripted_->calls(), 4);
  // Reads have not failed, and health is asked past the circuit.
  EXPECT_EQ(Run(Operation::Get("k")), "not_found");
  EXPECT_TRUE(backend_->CheckHealth(kNever).ok());
  clock_.Advance(seconds{5});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Run(Operation::Put("k", "1")), "ok");
  EXPECT_EQ(guard_->circuit(Lane::kWrite)->state(), CircuitState::kClosed);
}

TEST_F(Resilient, OperationsOfABatchCountEach) {
  Use(Breaking());
  const std::vector<Operation> batch = {Operation::Get("a"), Operation::Get("b"), Operation::Get("c"),
                                        Operation::Get("d")};
  std::vector<OperationResult> results(batch.size());
  backend_->Execute(batch, results, kNever);
  backend_->Execute(batch, results, kNever);
  scripted_->FailNext(ErrorCode::kUnavailable);
  backend_->Execute(batch, results, kNever);  // 4 of 12
  EXPECT_EQ(guard_->circuit(Lane::kRead)->state(), CircuitState::kClosed);
  scripted_->FailNext(ErrorCode::kUnavailable);
  backend_->Execute(batch, results, kNever);  // 8 of 16
  EXPECT_EQ(guard_->circuit(Lane::kRead)->state(), CircuitState::kOpen);
}

// Who asks for answers in no time does not cut the backend off for everybody.
TEST_F(Resilient, HastyCallersDoNotOpenTheCircuit) {
  Use(Breaking());
  scripted_->FailNext(ErrorCode::kDeadlineExceeded, 20);
  for (int i = 0; i < 20; ++i) Run(Operation::Get("k"), Deadline::After(milliseconds{0}));
  EXPECT_EQ(guard_->circuit(Lane::kRead)->state(), CircuitState::kClosed);
  scripted_->FailNext(ErrorCode::kDeadlineExceeded, 4);  // its own timeout, not the caller's
  for (int i = 0; i < 4; ++i) Run(Operation::Get("k"), Deadline::After(seconds{60}));
  EXPECT_EQ(guard_->circuit(Lane::kRead)->state(), CircuitState::kOpen);
}

TEST_F(Resilient, RefusedByTheBulkheadIsNeitherTriedAgainNorHeldAgainstTheBackend) {
  Options options = Retrying(5);
  options.backoff = {std::chrono::minutes{1}, std::chrono::minutes{1}, 0};  // what a second attempt would cost
  options.breaker = true;
  options.circuit.min_operations = 1;
  options.bulkhead = BulkheadOptions{1, milliseconds{0}};
  Use(options);
  const auto taken = guard_->bulkhead()->Enter(kNever);
  ASSERT_TRUE(taken);
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Run(Operation::Get("k")), "unavailable");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::minutes{1});
  EXPECT_EQ(scripted_->calls(), 0);
  EXPECT_EQ(guard_->circuit(Lane::kRead)->state(), CircuitState::kClosed);
  EXPECT_EQ(guard_->budget().taken(), 0u);
}

TEST_F(Resilient, WhatMayWaitDoesNotRunOnIoThreads) {
  Use(Breaking());
  EXPECT_TRUE(backend_->capabilities().inline_reads);
  Use(Retrying(2));
  EXPECT_FALSE(backend_->capabilities().inline_reads);
  EXPECT_FALSE(backend_->capabilities().inline_writes);
}

}  // namespace
}  // namespace holdfast::resilience
