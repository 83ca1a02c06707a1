#include "service/execution/concurrent_executor.h"

#include <gtest/gtest.h>

#include <future>

#include "service/backends/memory/memory_backend.h"
#include "service/storage/forwarding_backend.h"

namespace holdfast::execution {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using storage::Operation;
using storage::OperationResult;

constexpr int kWorkers = 3;
const Deadline kNever = Deadline::Infinite();

std::string CodeOf(const OperationResult& result) {
  return result.status.ok() ? "ok" : std::string(ErrorCodeName(result.status.error().code()));
}

char KindOf(const Operation& operation) {
  if (storage::IsWrite(operation.kind)) return 'w';
  return operation.consistency == storage::Consistency::kEventual ? 'e' : 'r';
}

// Takes several calls at once, as if behind a network, can be made to wait and remembers how it was called.
class RemoteBackend : public storage::ForwardingBackend {
 public:
  RemoteBackend() : ForwardingBackend(storage::MakeMemoryBackend({})) {}
  storage::Capabilities capabilities() const override {
    storage::Capabilities capabilities = ForwardingBackend::capabilities();
    capabilities.inline_reads = false;
    capabilities.inline_writes = false;
    capabilities.concurrent_calls = kWorkers;
    capabilities.eager_calls = eager_calls;
    return capabilities;
  }
  int eager_calls = storage::Capabilities{}.eager_calls;  // before an executor is made

  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    {
      std::unique_lock lock(mutex_);
      std::string kinds;
      for (const Operation& operation : operations) kinds.push_back(KindOf(operation));
      batches_.push_back(kinds);
      changed_.notify_all();
      changed_.wait(lock, [&, number = batches_.size()] { return !held_ || number <= passing_; });
    }
    ForwardingBackend::Execute(operations, results, deadline);
  }
  // Lets the first so many go and holds what comes behind them.
  void HoldNext(std::size_t passing) {
    std::lock_guard lock(mutex_);
    passing_ = passing;
    changed_.notify_all();
  }
  void Hold(bool held) {
    std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  // The kinds of every batch so far, once there are so many.
  std::vector<std::string> Batches(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, seconds{20}, [&] { return batches_.size() >= count; }));
    return batches_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> batches_;
  bool held_ = false;
  std::size_t passing_ = 0;
};

class ConcurrentExecutorTest : public testing::Test {
 protected:
  void Make(const ExecutorOptions& options = {}) {
    executor_ = MakeExecutor(backend_, options, [this](std::size_t operations) { observed_ += operations; });
  }
  std::future<OperationResult> Submit(Operation operation, Deadline deadline = kNever) {
    auto promise = std::make_shared<std::promise<OperationResult>>();
    executor_->SubmitOne(std::move(operation), deadline,
                         [promise](OperationResult&& result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  std::future<std::vector<OperationResult>> SubmitAll(std::vector<Operation> operations, Deadline deadline = kNever) {
    auto promise = std::make_shared<std::promise<std::vector<OperationResult>>>();
    executor_->Submit(std::move(operations), deadline,
                      [promise](std::vector<OperationResult> results) { promise->set_value(std::move(results)); });
    return promise->get_future();
  }
  // Every worker, or so many, is inside the backend afterwards.
  std::vector<std::future<OperationResult>> OccupyWorkers(std::size_t workers = kWorkers) {
    backend_->Hold(true);
    std::vector<std::future<OperationResult>> inside;
    for (std::size_t i = 1; i <= workers; ++i) {
      inside.push_back(Submit(Operation::Put("busy" + std::to_string(i), "v")));
      EXPECT_EQ(i, backend_->Batches(i).size());
    }
    return inside;
  }

  const std::shared_ptr<RemoteBackend> backend_ = std::make_shared<RemoteBackend>();
  std::atomic<std::size_t> observed_{0};
  std::unique_ptr<Executor> executor_;
};

TEST_F(ConcurrentExecutorTest, AsManyCallsAtOnceAsTheBackendTakes) {
  Make();
  auto inside = OccupyWorkers();
  backend_->Hold(false);
  for (auto& result : inside) EXPECT_EQ("ok", CodeOf(result.get()));
}

TEST_F(ConcurrentExecutorTest, WhatWaitsBecomesABatchOfReadsAndOneOfWrites) {
  Make();
  auto inside = OccupyWorkers();
  std::vector<std::future<OperationResult>> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.push_back(Submit(Operation::Put("k", "v")));
    waiting.push_back(Submit(Operation::Get("none")));
  }
  backend_->Hold(false);
  for (auto& result : waiting) result.wait();
  std::vector<std::string> batches = backend_->Batches(5);
  batches.erase(batches.begin(), batches.begin() + kWorkers);
  std::sort(batches.begin(), batches.end());
  EXPECT_EQ((std::vector<std::string>{"rrrrr", "wwwww"}), batches);
  EXPECT_EQ(10u + kWorkers, observed_);
}

// Two batches go at once; a third one would wait for ever for more than there is.
ExecutorOptions Gathering(std::size_t operations) {
  ExecutorOptions options;
  options.gather_operations = operations;
  options.gather_time = std::chrono::hours{1};
  return options;
}

TEST_F(ConcurrentExecutorTest, BesideTwoBatchesAThirdWaitsForMore) {
  Make(Gathering(4));
  auto inside = OccupyWorkers(2);
  std::vector<std::future<OperationResult>> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(Submit(Operation::Put("k", "v")));
  EXPECT_EQ("wwww", backend_->Batches(3).at(2));
  backend_->Hold(false);
  for (auto& result : waiting) EXPECT_EQ("ok", CodeOf(result.get()));
}

TEST_F(ConcurrentExecutorTest, BesideOneBatchASecondWaitsForMoreWhereTheServerDoesOneThingAtATime) {
  backend_->eager_calls = 1;
  Make(Gathering(4));
  auto inside = OccupyWorkers(1);
  std::vector<std::future<OperationResult>> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(Submit(Operation::Put("k", "v")));
  EXPECT_EQ("wwww", backend_->Batches(2).at(1));
  backend_->Hold(false);
  for (auto& result : waiting) EXPECT_EQ("ok", CodeOf(result.get()));
}

TEST_F(ConcurrentExecutorTest, WhatIsSubmittedTogetherCountsWhenItGathers) {
  Make(Gathering(4));
  auto inside = OccupyWorkers(2);
  auto waiting = SubmitAll(std::vector<Operation>(4, Operation::Put("k", "v")));
  EXPECT_EQ("wwww", backend_->Batches(3).at(2));
  backend_->Hold(false);
  waiting.wait();
}

TEST_F(ConcurrentExecutorTest, WhatIsLateNoLongerCountsWhenItGathers) {
  Make(Gathering(4));
  auto inside = OccupyWorkers(2);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ("deadline_exceeded", CodeOf(Submit(Operation::Put("k", "v"), Deadline::After(milliseconds{1})).get()));
  }
  std::vector<std::future<OperationResult>> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(Submit(Operation::Put("k", "v")));
  EXPECT_EQ("wwww", backend_->Batches(3).at(2));
  backend_->Hold(false);
  for (auto& result : waiting) result.wait();
}

TEST_F(ConcurrentExecutorTest, ABatchThatEndsTakesWhatGathered) {
  Make(Gathering(4));
  auto inside = OccupyWorkers(2);
  auto first = Submit(Operation::Put("k", "v"));
  auto second = Submit(Operation::Put("k", "v"));
  backend_->Hold(false);
  EXPECT_EQ("ok", CodeOf(first.get()));
  EXPECT_EQ("ok", CodeOf(second.get()));
}

TEST_F(ConcurrentExecutorTest, ReadsDoNotWaitForWritesToEnd) {
  Make(Gathering(4));
  auto inside = OccupyWorkers(2);
  auto read = Submit(Operation::Get("none"));
  EXPECT_EQ("r", backend_->Batches(3).at(2));
  backend_->Hold(false);
  read.wait();
}

TEST_F(ConcurrentExecutorTest, BehindBatchesThatHangAThirdWaitsNoLongerThanGatherTime) {
  ExecutorOptions options = Gathering(100);
  options.gather_time = std::chrono::microseconds{500};
  Make(options);
  auto inside = OccupyWorkers(2);
  auto waiting = Submit(Operation::Put("k", "v"));
  EXPECT_EQ("w", backend_->Batches(3).at(2));
  backend_->Hold(false);
  waiting.wait();
}

TEST_F(ConcurrentExecutorTest, WhoDrainsWaitsForNoMore) {
  Make(Gathering(4));
  auto inside = OccupyWorkers(2);
  auto waiting = Submit(Operation::Put("k", "v"));
  std::thread drain([this] { executor_->Drain(); });
  EXPECT_EQ("w", backend_->Batches(3).at(2));
  backend_->Hold(false);
  drain.join();
  EXPECT_EQ("ok", CodeOf(waiting.get()));
}

// What a replica may answer does not wait in one call with what only the primary may.
TEST_F(ConcurrentExecutorTest, EventualReadsAreBatchesOfTheirOwn) {
  Make();
  auto inside = OccupyWorkers();
  Operation eventual = Operation::Get("none");
  eventual.consistency = storage::Consistency::kEventual;
  std::vector<std::future<OperationResult>> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(Submit(Operation::Put("k", "v")));
    waiting.push_back(Submit(Operation::Get("none")));
    waiting.push_back(Submit(eventual));
  }
  auto mixed = SubmitAll({eventual, Operation::Get("none")});
  backend_->Hold(false);
  for (auto& result : waiting) result.wait();
  mixed.wait();
  std::vector<std::string> batches = backend_->Batches(6);
  batches.erase(batches.begin(), batches.begin() + kWorkers);
  std::sort(batches.begin(), batches.end());
  EXPECT_EQ((std::vector<std::string>{"eee", "rrrer", "www"}), batches);
}

TEST_F(ConcurrentExecutorTest, WhatIsSubmittedTogetherKeepsItsOrder) {
  ExecutorOptions options;
  options.max_batch_operations = 2;  // does not tear it apart
  Make(options);
  const auto results =
      SubmitAll({Operation::Put("k", "1"), Operation::Get("k"), Operation::Increment("k", 4), Operation::Get("k")})
          .get();
  EXPECT_EQ("1", results[1].entry->value);
  EXPECT_EQ("5", results[3].entry->value);
  EXPECT_TRUE(SubmitAll({}).get().empty());
}

TEST_F(ConcurrentExecutorTest, ABatchIsBounded) {
  ExecutorOptions options;
  options.max_batch_operations = 4;
  Make(options);
  auto inside = OccupyWorkers();
  std::vector<std::future<OperationResult>> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(Submit(Operation::Get("none")));
  backend_->Hold(false);
  for (auto& result : waiting) result.wait();
  for (const std::string& batch : backend_->Batches(kWorkers + 3)) EXPECT_LE(batch.size(), 4u);
}

TEST_F(ConcurrentExecutorTest, AFullQueueRefusesAtOnce) {
  ExecutorOptions options;
  options.max_queued_operations = kWorkers + 2;
  Make(options);
  auto inside = OccupyWorkers();
  auto first = Submit(Operation::Get("a"));
  auto second = Submit(Operation::Get("a"));
  EXPECT_EQ("unavailable", CodeOf(Submit(Operation::Get("a")).get()));
  EXPECT_EQ("resource_exhausted", CodeOf(SubmitAll(std::vector<Operation>(9, Operation::Get("a"))).get().at(8)));
  backend_->Hold(false);
  EXPECT_EQ("not_found", CodeOf(first.get()));
  EXPECT_EQ("not_found", CodeOf(second.get()));
  EXPECT_EQ("not_found", CodeOf(Submit(Operation::Get("a")).get()));
}

TEST_F(ConcurrentExecutorTest, BehindABackendThatHangsDeadlinesAreHonoured) {
  Make();
  auto inside = OccupyWorkers();
  EXPECT_EQ("deadline_exceeded", CodeOf(Submit(Operation::Put("k", "v"), Deadline::After(milliseconds{20})).get()));
  backend_->Hold(false);
  for (auto& result : inside) result.wait();
  EXPECT_EQ("not_found", CodeOf(Submit(Operation::Get("k")).get()));
}

TEST_F(ConcurrentExecutorTest, WhoSharesABatchWithAPatientOneIsToldInTime) {
  Make();
  auto inside = OccupyWorkers();
  const Deadline soon = Deadline::After(seconds{2});
  auto patient = Submit(Operation::Put("patient", "v"));
  auto write = Submit(Operation::Put("k", "v"), soon);
  auto several = SubmitAll({Operation::Put("a", "v"), Operation::Get("a")}, soon);
  auto patient_read = Submit(Operation::Get("patient"));
  auto read = Submit(Operation::Get("k"), soon);
  // They go into the backend together, and it hangs again.
  backend_->HoldNext(kWorkers);
  backend_->Batches(kWorkers + 2);
  EXPECT_EQ("outcome_unknown", CodeOf(write.get()));
  EXPECT_EQ("deadline_exceeded", CodeOf(read.get()));
  const std::vector<OperationResult> results = several.get();
  EXPECT_EQ("outcome_unknown", CodeOf(results.at(0)));
  EXPECT_EQ("deadline_exceeded", CodeOf(results.at(1)));
  EXPECT_NE(std::future_status::ready, patient.wait_for(seconds{0}));
  backend_->Hold(false);
  EXPECT_EQ("ok", CodeOf(patient.get()));
  patient_read.wait();
  for (auto& result : inside) EXPECT_EQ("ok", CodeOf(result.get()));
  // It was done, once.
  EXPECT_EQ("v", Submit(Operation::Get("k")).get().entry->value);
}

TEST_F(ConcurrentExecutorTest, DrainWaitsForWhatWasSubmittedAndRefusesWhatComesLater) {
  Make();
  auto inside = OccupyWorkers();
  auto waiting = Submit(Operation::Put("k", "v"));
  std::thread drain([this] { executor_->Drain(); });
  backend_->Hold(false);
  drain.join();
  EXPECT_EQ("ok", CodeOf(waiting.get()));
  EXPECT_EQ("unavailable", CodeOf(Submit(Operation::Get("k")).get()));
  EXPECT_FALSE(executor_->Run([] {}));
}

TEST_F(ConcurrentExecutorTest, ManyCallersLoseNothing) {
  Make();
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([this] {
      for (int k = 0; k < 200; ++k) EXPECT_EQ("ok", CodeOf(Submit(Operation::Increment("n", 1)).get()));
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ("800", Submit(Operation::Get("n")).get().entry->value);
}

}  // namespace
}  // namespace holdfast::execution
