#include "service/execution/concurrent_executor.h"

#include <algorithm>
#include <iterator>

namespace holdfast::execution {
namespace {

using storage::Operation;
using storage::OperationKind;
using storage::OperationResult;

constexpr std::size_t kReads = 0;
constexpr std::size_t kWrites = 1;

// The backend may have done it, or may yet.
Error PassedInside(OperationKind kind) {
  if (!storage::IsWrite(kind))
    return {ErrorCode::kDeadlineExceeded, "the deadline passed while the backend was at work"};
  return {ErrorCode::kOutcomeUnknown,
          "the deadline passed while the backend was at work on a write: it may have taken effect"};
}

}  // namespace

void ConcurrentExecutor::Request::Fail(const Error& error) {
  if (done_one) {
    OperationResult result;
    result.status = error;
    done_one(std::move(result));
    return;
  }
  std::vector<OperationResult> results(operations.size());
  storage::FailAll(results, error);
  done(std::move(results));
}

ConcurrentExecutor::ConcurrentExecutor(std::shared_ptr<storage::Backend> backend, const ExecutorOptions& options,
                                       int workers, std::function<void(std::size_t operations)> on_batch)
    : backend_(std::move(backend)),
      options_(options),
      on_batch_(std::move(on_batch)),
      bounds_(options_),
      pool_(options.pool_threads, options.max_queued_tasks) {
  for (int i = 0; i < std::max(workers, 1); ++i) workers_.emplace_back([this] { WorkLoop(); });
  late_ = std::thread([this] { LateLoop(); });
}

ConcurrentExecutor::~ConcurrentExecutor() {
  Drain();
}

void ConcurrentExecutor::Queue(Request request, bool writes) {
  std::unique_lock lock(mutex_);
  std::optional<Error> refusal = draining_ ? Drained() : bounds_.Refusal(request.count(), request.bytes);
  if (refusal) {
    lock.unlock();
    request.Fail(*refusal);
    return;
  }
  bounds_.Add(request.count(), request.bytes);
  request.number = ++submitted_;
  lanes_[writes ? kWrites : kReads].push_back(std::move(request));
  const bool wake = sleeping_ > 0;
  lock.unlock();
  if (wake) wake_.notify_one();
}

void ConcurrentExecutor::Submit(std::vector<Operation> operations, Deadline deadline, Done done) {
  if (operations.empty()) return done({});
  Request request;
  bool writes = false;
  for (const Operation& operation : operations) {
    request.bytes += SizeOf(operation);
    writes = writes || storage::IsWrite(operation.kind);
  }
  request.operations = std::move(operations);
  request.deadline = deadline;
  request.done = std::move(done);
  Queue(std::move(request), writes);
}

void ConcurrentExecutor::SubmitOne(Operation&& operation, Deadline deadline, DoneOne done) {
  Request request;
  request.bytes = SizeOf(operation);
  const bool writes = storage::IsWrite(operation.kind);
  request.operation = std::move(operation);
  request.deadline = deadline;
  request.done_one = std::move(done);
  Queue(std::move(request), writes);
}

bool ConcurrentExecutor::Run(std::function<void()> task) {
  return pool_.Add(std::move(task));
}

void ConcurrentExecutor::Drain() {
  std::lock_guard drain(drain_mutex_);
  // The pool first: a task may still wait for something it submits.
  pool_.Drain();
  {
    std::lock_guard lock(mutex_);
    draining_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) {
    if (worker.joinable()) worker.join();
  }
  late_wake_.notify_all();
  if (late_.joinable()) late_.join();
}

void ConcurrentExecutor::WorkLoop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++sleeping_;
    wake_.wait(lock, [this] { return !idle() || draining_; });
    --sleeping_;
    if (idle()) return;
    Batch batch = TakeBatch();
    const bool more = !idle() && sleeping_ > 0;
    const bool runs = !batch.operations.empty();
    if (runs) running_.insert(&batch);
    lock.unlock();
    if (more) wake_.notify_one();
    if (runs) {
      batch.results.resize(batch.operations.size());
      if (on_batch_) on_batch_(batch.operations.size());
      backend_->Execute(batch.operations, batch.results, batch.deadline);
    }
    lock.lock();
    running_.erase(&batch);
    bounds_.Remove(batch.taken, batch.bytes);
    lock.unlock();
    Answer(batch);
    lock.lock();
  }
}

ConcurrentExecutor::Batch ConcurrentExecutor::TakeBatch() {
  // The lane whose first request has waited for longest.
  Lane& reads = lanes_[kReads];
  Lane& writes = lanes_[kWrites];
  const bool take_reads = writes.empty() || (!reads.empty() && reads.front().number < writes.front().number);
  Lane& lane = take_reads ? reads : writes;
  Batch batch;
  // The latest deadline holds for the batch, so that a hurried caller does not fail a patient one.
  std::optional<std::chrono::steady_clock::time_point> latest;
  bool infinite = false;
  const auto now = std::chrono::steady_clock::now();
  while (!lane.empty()) {
    Request& next = lane.front();
    const bool fits =
        batch.requests.empty() || (batch.operations.size() + next.count() <= options_.max_batch_operations &&
                                   batch.bytes + next.bytes <= options_.max_batch_bytes);
    if (!fits) break;
    batch.bytes += next.bytes;
    batch.taken += next.count();
    if (IsLate(next.deadline, now)) {
      batch.late.push_back(std::move(next));
      lane.pop_front();
      continue;
    }
    infinite = infinite || next.deadline.infinite();
    if (!infinite) latest = std::max(latest.value_or(next.deadline.WaitUntil()), next.deadline.WaitUntil());
    if (next.done_one) {
      batch.operations.push_back(std::move(next.operation));
    } else {
      std::move(next.operations.begin(), next.operations.end(), std::back_inserter(batch.operations));
    }
    batch.requests.push_back(std::move(next));
    lane.pop_front();
  }
  if (!infinite && latest) batch.deadline = Deadline::At(*latest);
  return batch;
}

void ConcurrentExecutor::Answer(Batch& batch) {
  std::size_t next = 0;
  for (Request& request : batch.requests) {
    if (request.answered) {
      next += request.count();
      continue;
    }
    if (request.done_one) {
      request.done_one(std::move(batch.results[next++]));
      continue;
    }
    const auto begin = batch.results.begin() + static_cast<std::ptrdiff_t>(next);
    const auto end = begin + static_cast<std::ptrdiff_t>(request.operations.size());
    next += request.operations.size();
    request.done({std::make_move_iterator(begin), std::make_move_iterator(end)});
  }
  for (Request& request : batch.late) request.Fail(PassedWhileWaiting());
}

std::vector<ConcurrentExecutor::Request> ConcurrentExecutor::TakeLate() {
  std::vector<Request> late;
  const auto now = std::chrono::steady_clock::now();
  for (Lane& lane : lanes_) {
    const auto first = std::stable_partition(lane.begin(), lane.end(),
                                             [now](const Request& request) { return !IsLate(request.deadline, now); });
    std::move(first, lane.end(), std::back_inserter(late));
    lane.erase(first, lane.end());
  }
  for (const Request& request : late) bounds_.Remove(request.count(), request.bytes);
  return late;
}

// A backend that keeps to the batch's deadline answers the last of them itself, and knows more.
std::vector<ConcurrentExecutor::Overdue> ConcurrentExecutor::TakeOverdue() {
  std::vector<Overdue> overdue;
  const auto before = std::chrono::steady_clock::now() - kLateCheck;
  for (Batch* batch : running_) {
    for (Request& request : batch->requests) {
      if (request.answered || !IsLate(request.deadline, before)) continue;
      request.answered = true;
      Overdue& answer = overdue.emplace_back();
      answer.done_one = request.done_one;
      answer.done = request.done;
      // What was moved from has its kind still.
      if (request.done_one) answer.results.emplace_back().status = PassedInside(request.operation.kind);
      for (const Operation& operation : request.operations) {
        answer.results.emplace_back().status = PassedInside(operation.kind);
      }
    }
  }
  return overdue;
}

// Who waits behind a backend that is held up, or shares a batch with somebody more patient, is told when the time is
// over.
void ConcurrentExecutor::LateLoop() {
  std::unique_lock lock(mutex_);
  while (!draining_ || !idle() || !running_.empty()) {
    late_wake_.wait_for(lock, kLateCheck);
    std::vector<Request> late = TakeLate();
    std::vector<Overdue> overdue = TakeOverdue();
    if (late.empty() && overdue.empty()) continue;
    lock.unlock();
    for (Request& request : late) request.Fail(PassedWhileWaiting());
    for (Overdue& answer : overdue) {
      if (answer.done_one) {
        answer.done_one(std::move(answer.results.front()));
      } else {
        answer.done(std::move(answer.results));
      }
    }
    lock.lock();
  }
}

}  // namespace holdfast::execution
