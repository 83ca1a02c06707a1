#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <random>
#include <thread>

#include "service/backends/memory/memory_backend.h"
#include "service/execution/executor.h"
#include "service/storage/forwarding_backend.h"

namespace holdfast::execution {
namespace {

using std::chrono::seconds;
using storage::Operation;
using storage::OperationKind;
using storage::OperationResult;

const Deadline kNever = Deadline::Infinite();

std::string CodeOf(const OperationResult& result) {
  return result.status.ok() ? "ok" : std::string(ErrorCodeName(result.status.error().code()));
}

// A memory backend that says it is slow, can be made to wait, and remembers how it was called.
class SlowBackend : public storage::ForwardingBackend {
 public:
  SlowBackend() : ForwardingBackend(storage::MakeMemoryBackend({})) {}

  std::string_view kind() const override { return "slow"; }
  storage::Capabilities capabilities() const override {
    storage::Capabilities capabilities = ForwardingBackend::capabilities();
    capabilities.inline_reads = inline_reads;
    capabilities.inline_writes = false;
    return capabilities;
  }
  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    EXPECT_EQ(1, ++executing_) << "two batches at once";
    {
      std::unique_lock lock(mutex_);
      batches_.push_back(operations.size());
      last_thread_ = std::this_thread::get_id();
      deadline_ = deadline;
      changed_.notify_all();
      changed_.wait(lock, [this] { return !held_; });
    }
    ForwardingBackend::Execute(operations, results, deadline);
    --executing_;
  }

  // From now on an Execute waits inside until Release.
  void Hold() {
    std::lock_guard lock(mutex_);
    held_ = true;
  }
  void Release() {
    std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  void WaitForBatches(std::size_t count) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, seconds{20}, [&] { return batches_.size() >= count; }));
  }
  std::vector<std::size_t> batches() {
    std::lock_guard lock(mutex_);
    return batches_;
  }
  std::thread::id last_thread() {
    std::lock_guard lock(mutex_);
    return last_thread_;
  }
  Deadline deadline() {
    std::lock_guard lock(mutex_);
    return deadline_;
  }

  bool inline_reads = true;

 private:
  std::atomic<int> executing_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::size_t> batches_;
  std::thread::id last_thread_;
  Deadline deadline_ = Deadline::Infinite();
  bool held_ = false;
};

class BatchingExecutorTest : public testing::Test {
 protected:
  void Make(const ExecutorOptions& options = {}) {
    executor_ = MakeExecutor(backend_, options, [this](std::size_t operations) { observed_ += operations; });
  }

  // The result of a submission, whenever it comes.
  std::future<OperationResult> Submit(Operation operation, Deadline deadline = kNever) {
    auto promise = std::make_shared<std::promise<OperationResult>>();
    executor_->SubmitOne(std::move(operation), deadline,
                         [promise](OperationResult result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  std::future<std::vector<OperationResult>> SubmitAll(std::vector<Operation> operations, Deadline deadline = kNever) {
    auto promise = std::make_shared<std::promise<std::vector<OperationResult>>>();
    executor_->Submit(std::move(operations), deadline,
                      [promise](std::vector<OperationResult> results) { promise->set_value(std::move(results)); });
    return promise->get_future();
  }

  std::shared_ptr<SlowBackend> backend_ = std::make_shared<SlowBackend>();
  std::atomic<std::size_t> observed_{0};
  std::unique_ptr<Executor> executor_;
};

TEST_F(BatchingExecutorTest, ReadsRunOnTheCallersThreadAndWritesDoNot) {
  Make();
  EXPECT_EQ("ok", CodeOf(Submit(Operation::Put("k", "v")).get()));
  EXPECT_NE(std::this_thread::get_id(), backend_->last_thread());
  EXPECT_EQ("v", Submit(Operation::Get("k")).get().entry->value);
  EXPECT_EQ(std::this_thread::get_id(), backend_->last_thread());
  EXPECT_EQ(2u, SubmitAll({Operation::Get("k"), Operation::Get("k")}).get().size());
  EXPECT_EQ(std::this_thread::get_id(), backend_->last_thread());
  // A batch with a write stays together, in order.
  const std::vector<OperationResult> mixed =
      SubmitAll({Operation::Get("n"), Operation::Put("n", "1"), Operation::Get("n")}).get();
  EXPECT_NE(std::this_thread::get_id(), backend_->last_thread());
  EXPECT_EQ("not_found", CodeOf(mixed[0]));
  EXPECT_EQ("1", mixed[2].entry->value);
}

TEST_F(BatchingExecutorTest, ReadsThatMayBlockLeaveTheCallersThread) {
  backend_->inline_reads = false;
  Make();
  EXPECT_EQ("not_found", CodeOf(Submit(Operation::Get("k")).get()));
  EXPECT_NE(std::this_thread::get_id(), backend_->last_thread());
}

TEST_F(BatchingExecutorTest, WritesOfAMemoryBackendRunOnTheCallersThread) {
  const auto memory = std::shared_ptr(storage::MakeMemoryBackend({}));
  const std::unique_ptr<Executor> executor = MakeExecutor(memory, {});
  bool answered = false;
  executor->SubmitOne(Operation::Put("k", "v"), kNever, [&](OperationResult result) {
    EXPECT_EQ("ok", CodeOf(result));
    answered = true;
  });
  EXPECT_TRUE(answered);
  executor->Drain();
  executor->SubmitOne(Operation::Get("k"), kNever,
                      [&](OperationResult result) { EXPECT_EQ("unavailable", CodeOf(result)); });
}

TEST_F(BatchingExecutorTest, WhatWaitsBecomesOneBatch) {
  Make();
  backend_->Hold();
  auto first = Submit(Operation::Put("first", "v"));
  backend_->WaitForBatches(1);
  std::vector<std::future<OperationResult>> waiting;
  for (int i = 0; i < 100; ++i) waiting.push_back(Submit(Operation::Increment("n", 1)));
  backend_->Release();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(i + 1, waiting[static_cast<std::size_t>(i)].get().number);
  EXPECT_EQ("ok", CodeOf(first.get()));
  EXPECT_EQ((std::vector<std::size_t>{1, 100}), backend_->batches());
  EXPECT_EQ(101u, observed_);
}

TEST_F(BatchingExecutorTest, ABatchIsBoundedInOperationsAndBytes) {
  ExecutorOptions options;
  options.max_batch_operations = 10;
  options.max_batch_bytes = 1000;
  Make(options);
  backend_->Hold();
  auto first = Submit(Operation::Put("first", "v"));
  backend_->WaitForBatches(1);
  auto many = SubmitAll(std::vector<Operation>(25, Operation::Put("k", "v")));
  std::vector<std::future<OperationResult>> large;
  for (int i = 0; i < 3; ++i) large.push_back(Submit(Operation::Put("large", std::string(600, 'v'))));
  auto huge = Submit(Operation::Put("huge", std::string(5000, 'v')));
  backend_->Release();
  for (const OperationResult& result : many.get()) EXPECT_EQ("ok", CodeOf(result));
  for (auto& result : large) EXPECT_EQ("ok", CodeOf(result.get()));
  EXPECT_EQ("ok", CodeOf(huge.get()));
  EXPECT_EQ((std::vector<std::size_t>{1, 10, 10, 6, 1, 1, 1}), backend_->batches());
}

TEST_F(BatchingExecutorTest, AFullQueueRefusesAtOnce) {
  ExecutorOptions options;
  options.max_queued_operations = 5;
  options.max_queued_bytes = 100;
  Make(options);
  backend_->Hold();
  auto first = Submit(Operation::Put("first", "v"));
  backend_->WaitForBatches(1);
  auto fits = SubmitAll(std::vector<Operation>(4, Operation::Put("k", "v")));
  const OperationResult refused = Submit(Operation::Put("k", "v")).get();
  EXPECT_EQ("unavailable", CodeOf(refused));
  EXPECT_NE(std::string::npos, refused.status.error().message().find("executor.queued_operations"));
  for (const OperationResult& result : SubmitAll({Operation::Put("k", "v"), Operation::Put("k", "v")}).get()) {
    EXPECT_EQ("unavailable", CodeOf(result));
  }
  EXPECT_EQ("not_found", [&] {
    backend_->Release();
    (void)fits.get();
    return CodeOf(Submit(Operation::Get("refused")).get());
  }());

  backend_->Hold();
  auto large = Submit(Operation::Put("large", std::string(90, 'v')));
  backend_->WaitForBatches(4);
  const OperationResult bytes = Submit(Operation::Put("k", std::string(20, 'v'))).get();
  EXPECT_EQ("unavailable", CodeOf(bytes));
  EXPECT_NE(std::string::npos, bytes.status.error().message().find("executor.queued_bytes"));
  EXPECT_EQ("resource_exhausted", CodeOf(Submit(Operation::Put("k", std::string(101, 'v'))).get()));
  EXPECT_EQ("resource_exhausted", CodeOf(SubmitAll(std::vector<Operation>(6, Operation::Put("k", ""))).get()[0]));
  backend_->Release();
  EXPECT_EQ("ok", CodeOf(large.get()));
}

TEST_F(BatchingExecutorTest, WhatIsTooLateWhenItsTurnComesIsNotAttempted) {
  Make();
  backend_->Hold();
  auto first = Submit(Operation::Put("first", "v"));
  backend_->WaitForBatches(1);
  auto late = Submit(Operation::Put("late", "v"), Deadline::After(std::chrono::milliseconds{-1}));
  auto late_group = SubmitAll({Operation::Put("late", "v"), Operation::Get("late")}, Deadline::After(seconds{-1}));
  auto in_time = Submit(Operation::Put("in time", "v"), Deadline::After(seconds{1000}));
  backend_->Release();
  EXPECT_EQ("deadline_exceeded", CodeOf(late.get()));
  for (const OperationResult& result : late_group.get()) EXPECT_EQ("deadline_exceeded", CodeOf(result));
  EXPECT_EQ("ok", CodeOf(in_time.get()));
  EXPECT_EQ("not_found", CodeOf(Submit(Operation::Get("late")).get()));
  EXPECT_EQ(1u, backend_->batches().at(1));
}

TEST_F(BatchingExecutorTest, BehindABackendThatHangsDeadlinesAreHonoured) {
  Make();
  backend_->Hold();
  auto first = Submit(Operation::Put("first", "v"));
  backend_->WaitForBatches(1);
  auto patient = Submit(Operation::Increment("n", 1));
  auto hurried = Submit(Operation::Increment("n", 1), Deadline::After(std::chrono::milliseconds{1}));
  auto group = SubmitAll({Operation::Increment("n", 1), Operation::Get("n")}, Deadline::After(seconds{-1}));
  auto last = Submit(Operation::Increment("n", 1));
  EXPECT_EQ("deadline_exceeded", CodeOf(hurried.get()));
  for (const OperationResult& result : group.get()) EXPECT_EQ("deadline_exceeded", CodeOf(result));
  backend_->Release();
  EXPECT_EQ(1, patient.get().number);
  EXPECT_EQ(2, last.get().number);
  EXPECT_EQ("ok", CodeOf(first.get()));
}

TEST_F(BatchingExecutorTest, ABatchHasTheLatestDeadlineOfItsOperations) {
  Make();
  for (const bool one_is_patient : {false, true}) {
    const std::size_t before = backend_->batches().size();
    backend_->Hold();
    auto first = Submit(Operation::Put("first", "v"));
    backend_->WaitForBatches(before + 1);
    auto hurried = Submit(Operation::Put("a", "v"), Deadline::After(seconds{100}));
    auto patient = Submit(Operation::Put("b", "v"), one_is_patient ? kNever : Deadline::After(seconds{2000}));
    auto other = Submit(Operation::Put("c", "v"), Deadline::After(seconds{300}));
    backend_->Release();
    (void)hurried.get();
    EXPECT_EQ(one_is_patient, backend_->deadline().infinite());
    EXPECT_GT(backend_->deadline().Remaining(), seconds{1000});
    (void)patient.get();
    (void)other.get();
    (void)first.get();
  }
}

TEST_F(BatchingExecutorTest, DrainWaitsForWhatWasSubmittedAndRefusesWhatComesLater) {
  Make();
  backend_->Hold();
  std::vector<std::future<OperationResult>> waiting;
  for (int i = 0; i < 50; ++i) waiting.push_back(Submit(Operation::Increment("n", 1)));
  std::atomic<bool> task_ran{false};
  EXPECT_TRUE(executor_->Run([&] { task_ran = true; }));
  backend_->WaitForBatches(1);
  std::thread drain([&] { executor_->Drain(); });
  // Until Drain has begun these are accepted and wait like the others.
  for (bool refused = false; !refused;) {
    auto late = Submit(Operation::Increment("n", 1));
    refused = late.wait_for(seconds{0}) == std::future_status::ready;
    if (refused) {
      EXPECT_EQ("unavailable", CodeOf(late.get()));
    } else {
      waiting.push_back(std::move(late));
      std::this_thread::yield();
    }
  }
  backend_->Release();
  drain.join();
  EXPECT_TRUE(task_ran);
  for (auto& result : waiting) {
    ASSERT_EQ(std::future_status::ready, result.wait_for(seconds{0}));
    EXPECT_EQ("ok", CodeOf(result.get()));
  }
  EXPECT_FALSE(executor_->Run([] {}));
  EXPECT_EQ("unavailable", CodeOf(Submit(Operation::Get("k")).get()));
  EXPECT_EQ("unavailable", CodeOf(SubmitAll({Operation::Get("k")}).get().at(0)));
  EXPECT_EQ("unavailable", CodeOf(SubmitAll({Operation::Put("k", "")}).get().at(0)));
  executor_->Drain();
}

TEST_F(BatchingExecutorTest, NothingSubmittedIsAnsweredAtOnce) {
  Make();
  EXPECT_TRUE(SubmitAll(std::vector<Operation>{}).get().empty());
}

TEST_F(BatchingExecutorTest, ACallbackMaySubmitAgain) {
  Make();
  std::promise<std::int64_t> done;
  std::function<void(OperationResult)> again = [&](OperationResult result) {
    if (result.number == 100) {
      done.set_value(result.number);
    } else {
      executor_->SubmitOne(Operation::Increment("n", 1), kNever, again);
    }
  };
  executor_->SubmitOne(Operation::Increment("n", 1), kNever, again);
  EXPECT_EQ(100, done.get_future().get());
}

// Lost wake-ups show as a hang here, reordering as a wrong number.
TEST_F(BatchingExecutorTest, ManyCallersLoseNothingAndKeepTheirOrder) {
  ExecutorOptions options;
  options.max_batch_operations = 7;
  Make(options);
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      std::mt19937 random(static_cast<unsigned>(thread));
      const std::string key = "key" + std::to_string(thread);
      std::vector<std::future<OperationResult>> ones;
      std::vector<std::future<std::vector<OperationResult>>> groups;
      std::int64_t expected = 0;
      std::vector<std::int64_t> after_one;
      std::vector<std::int64_t> after_group;
      for (int i = 0; i < kEach; ++i) {
        if (random() % 4 == 0) {
          groups.push_back(SubmitAll(std::vector<Operation>(3, Operation::Increment(key, 1))));
          after_group.push_back(expected += 3);
        } else {
          ones.push_back(Submit(Operation::Increment(key, 1)));
          after_one.push_back(++expected);
        }
        if (random() % 16 == 0 && !ones.empty()) ones.back().wait();
      }
      for (std::size_t i = 0; i < ones.size(); ++i) EXPECT_EQ(after_one[i], ones[i].get().number);
      for (std::size_t i = 0; i < groups.size(); ++i) EXPECT_EQ(after_group[i], groups[i].get().back().number);
      ++answered;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(kThreads, answered);
}

}  // namespace
}  // namespace holdfast::execution
