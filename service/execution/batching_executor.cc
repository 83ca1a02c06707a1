#include "service/execution/batching_executor.h"

#include <algorithm>
#include <iterator>

#include "base/deferral/deferral.h"
#include "service/execution/concurrent_executor.h"

namespace holdfast::execution {
namespace {

using storage::Operation;
using storage::OperationResult;

OperationResult Failed(const Error& error) {
  OperationResult result;
  result.status = error;
  return result;
}

}  // namespace

BatchingExecutor::BatchingExecutor(std::shared_ptr<storage::Backend> backend, const ExecutorOptions& options,
                                   std::function<void(std::size_t operations)> on_batch)
    : backend_(std::move(backend)),
      options_(options),
      on_batch_(std::move(on_batch)),
      capabilities_(backend_->capabilities()),
      bounds_(options_),
      pool_(options.pool_threads, options.max_queued_tasks) {
  for (std::thread& committer : committers_) committer = std::thread([this] { CommitLoop(); });
}

BatchingExecutor::~BatchingExecutor() {
  Drain();
}

std::optional<Error> BatchingExecutor::Refusal(std::size_t operations, std::size_t bytes) const {
  if (draining_.load(std::memory_order_relaxed)) return Drained();
  return bounds_.Refusal(operations, bytes);
}

void BatchingExecutor::Submit(std::vector<Operation> operations, Deadline deadline, Done done) {
  std::vector<OperationResult> results(operations.size());
  const bool runs_inline = std::all_of(operations.begin(), operations.end(),
                                       [this](const Operation& operation) { return RunsInline(operation.kind); });
  if (runs_inline) {
    if (draining_.load(std::memory_order_acquire)) {
      storage::FailAll(results, Drained());
    } else {
      backend_->Execute(operations, results, deadline);
    }
    done(std::move(results));
    return;
  }

  std::size_t bytes = 0;
  for (const Operation& operation : operations) bytes += SizeOf(operation);
  std::unique_lock lock(mutex_);
  if (const std::optional<Error> refusal = Refusal(operations.size(), bytes)) {
    lock.unlock();
    storage::FailAll(results, *refusal);
    done(std::move(results));
    return;
  }
  auto group = std::make_shared<Group>();
  group->results = std::move(results);
  group->unanswered = operations.size();
  group->done = std::move(done);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    Waiting waiting;
    waiting.bytes = SizeOf(operations[i]);
    waiting.operation = std::move(operations[i]);
    waiting.deadline = deadline;
    waiting.group = group;
    waiting.context = tracing::CurrentContext();
    waiting.index = i;
    waiting_.push_back(std::move(waiting));
  }
  Queued(std::move(lock), operations.size(), bytes);
}

void BatchingExecutor::SubmitOne(Operation&& operation, Deadline deadline, DoneOne done) {
  if (RunsInline(operation.kind)) {
    done(draining_.load(std::memory_order_acquire) ? Failed(Drained())
                                                   : storage::ExecuteOne(*backend_, operation, deadline));
    return;
  }

  const std::size_t bytes = SizeOf(operation);
  std::unique_lock lock(mutex_);
  if (const std::optional<Error> refusal = Refusal(1, bytes)) {
    lock.unlock();
    done(Failed(*refusal));
    return;
  }
  Waiting waiting;
  waiting.operation = std::move(operation);
  waiting.bytes = bytes;
  waiting.deadline = deadline;
  waiting.done = std::move(done);
  waiting.context = tracing::CurrentContext();
  waiting_.push_back(std::move(waiting));
  Queued(std::move(lock), 1, bytes);
}

void BatchingExecutor::Queued(std::unique_lock<std::mutex> lock, std::size_t operations, std::size_t bytes) {
  bounds_.Add(operations, bytes);
  // A committer that is awake looks at the queue before it sleeps; waking another would only cost a switch.
  const bool wake = !committing_ && sleeping_ > 0;
  lock.unlock();
  if (wake) wake_.notify_one();
}

bool BatchingExecutor::Run(std::function<void()> task) {
  return pool_.Add(std::move(task));
}

void BatchingExecutor::Drain() {
  std::lock_guard drain(drain_mutex_);
  {
    std::lock_guard lock(mutex_);
    draining_.store(true, std::memory_order_release);
  }
  wake_.notify_all();
  // The pool first: a task may still wait for something it submitted.
  pool_.Drain();
  for (std::thread& committer : committers_) {
    if (committer.joinable()) committer.join();
  }
}

void BatchingExecutor::CommitLoop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++sleeping_;
    const bool woken = wake_.wait_for(lock, kLateCheck, [this] {
      const bool work = !committing_ && !waiting_.empty();
      const bool end = draining_.load(std::memory_order_relaxed) && waiting_.empty();
      return work || end;
    });
    --sleeping_;
    if (!woken) {
      // The other committer is held up in the backend; callers behind it are told when their time is over.
      std::vector<Waiting> late = TakeLate();
      lock.unlock();
      AnswerLate(late);
      lock.lock();
      continue;
    }
    if (waiting_.empty()) return;

    committing_ = true;
    Batch batch = TakeBatch();
    lock.unlock();
    RunBatch(batch);
    lock.lock();
    committing_ = false;
    bounds_.Remove(batch.taken(), batch.bytes);
    const bool hand_over = !waiting_.empty() && sleeping_ > 0;
    const bool end = draining_.load(std::memory_order_relaxed) && waiting_.empty();
    lock.unlock();
    if (end) {
      wake_.notify_all();
    } else if (hand_over) {
      wake_.notify_one();
    }
    Answer(batch);
    lock.lock();
  }
}

BatchingExecutor::Batch BatchingExecutor::TakeBatch() {
  Batch batch;
  const auto now = std::chrono::steady_clock::now();
  // The latest deadline holds for the batch, so that a hurried caller does not fail a patient one.
  std::optional<std::chrono::steady_clock::time_point> latest;
  bool infinite = false;
  while (!waiting_.empty()) {
    Waiting& next = waiting_.front();
    const bool fits = batch.callers.empty() || (batch.callers.size() < options_.max_batch_operations &&
                                                batch.bytes + next.bytes <= options_.max_batch_bytes);
    if (!fits) break;
    batch.bytes += next.bytes;
    if (IsLate(next.deadline, now)) {
      batch.late.push_back(std::move(next));
    } else {
      infinite = infinite || next.deadline.infinite();
      if (!infinite) latest = std::max(latest.value_or(now), next.deadline.WaitUntil());
      batch.operations.push_back(std::move(next.operation));
      batch.callers.push_back(std::move(next));
    }
    waiting_.pop_front();
  }
  if (!infinite && latest) batch.deadline = Deadline::At(*latest);
  return batch;
}

void BatchingExecutor::RunBatch(Batch& batch) {
  if (batch.operations.empty()) return;
  batch.results.resize(batch.operations.size());
  if (on_batch_) on_batch_(batch.operations.size());
  tracing::SharedContext contexts;
  for (const Waiting& caller : batch.callers) contexts.Add(caller.context);
  const tracing::Scope scope(contexts.Take());
  backend_->Execute(batch.operations, batch.results, batch.deadline);
}

void BatchingExecutor::Answer(Batch& batch) {
  const Deferral deferral;
  for (std::size_t i = 0; i < batch.callers.size(); ++i) AnswerOne(batch.callers[i], std::move(batch.results[i]));
  AnswerLate(batch.late);
}

void BatchingExecutor::AnswerLate(std::vector<Waiting>& late) {
  if (late.empty()) return;
  const Error error = PassedWhileWaiting();
  for (Waiting& caller : late) AnswerOne(caller, Failed(error));
}

std::vector<BatchingExecutor::Waiting> BatchingExecutor::TakeLate() {
  const auto now = std::chrono::steady_clock::now();
  const auto first_late = std::stable_partition(
      waiting_.begin(), waiting_.end(), [now](const Waiting& waiting) { return !IsLate(waiting.deadline, now); });
  std::vector<Waiting> late(std::make_move_iterator(first_late), std::make_move_iterator(waiting_.end()));
  waiting_.erase(first_late, waiting_.end());
  for (const Waiting& waiting : late) bounds_.Remove(1, waiting.bytes);
  return late;
}

void BatchingExecutor::AnswerOne(Waiting& caller, OperationResult result) {
  const tracing::Scope scope(std::move(caller.context));
  if (!caller.group) {
    caller.done(std::move(result));
    return;
  }
  Group& group = *caller.group;
  group.results[caller.index] = std::move(result);
  // The two committers may answer parts of one group at once; the last one sees what both wrote.
  if (group.unanswered.fetch_sub(1, std::memory_order_acq_rel) == 1) group.done(std::move(group.results));
}

std::unique_ptr<Executor> MakeExecutor(std::shared_ptr<storage::Backend> backend, const ExecutorOptions& options,
                                       std::function<void(std::size_t operations)> on_batch) {
  if (const auto capabilities = backend->capabilities(); capabilities.concurrent_calls > 1) {
    return std::make_unique<ConcurrentExecutor>(std::move(backend), options, capabilities, std::move(on_batch));
  }
  return std::make_unique<BatchingExecutor>(std::move(backend), options, std::move(on_batch));
}

}  // namespace holdfast::execution
