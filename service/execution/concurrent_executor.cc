#include "service/execution/concurrent_executor.h"

#include <algorithm>
#include <iterator>

#include "base/deferral/deferral.h"

namespace holdfast::execution {
namespace {

using storage::Operation;
using storage::OperationKind;
using storage::OperationResult;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kReads = 0;
constexpr std::size_t kWrites = 1;
constexpr std::size_t kEventualReads = 2;

std::size_t LaneOf(const Operation& operation) {
  if (storage::IsWrite(operation.kind)) return kWrites;
  return operation.consistency == storage::Consistency::kEventual ? kEventualReads : kReads;
}

// The backend may have done it, or may yet.
Error PassedInside(OperationKind kind) {
  if (!storage::IsWrite(kind)) {
    return {ErrorCode::kDeadlineExceeded, "the deadline passed while the backend was at work"};
  }
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
                                       const storage::Capabilities& capabilities,
                                       std::function<void(std::size_t operations)> on_batch)
    : backend_(std::move(backend)),
      options_(options),
      eager_batches_(capabilities.eager_calls),
      on_batch_(std::move(on_batch)),
      bounds_(options_),
      pool_(options.pool_threads, options.max_queued_tasks) {
  for (int i = 0; i < std::max(capabilities.concurrent_calls, 1); ++i) workers_.emplace_back([this] { WorkLoop(); });
  late_ = std::thread([this] { LateLoop(); });
}

ConcurrentExecutor::~ConcurrentExecutor() {
  Drain();
}

void ConcurrentExecutor::Queue(Request request, std::size_t lane) {
  std::unique_lock lock(mutex_);
  std::optional<Error> refusal = draining_ ? Drained() : bounds_.Refusal(request.count(), request.bytes);
  if (refusal) {
    lock.unlock();
    request.Fail(*refusal);
    return;
  }
  bounds_.Add(request.count(), request.bytes);
  request.queued_at = SteadyClock::now();
  request.context = tracing::CurrentContext();
  lanes_[lane].operations += request.count();
  lanes_[lane].requests.push_back(std::move(request));
  const bool wake = CallWorker();
  lock.unlock();
  if (wake) wake_.notify_one();
}

void ConcurrentExecutor::Submit(std::vector<Operation> operations, Deadline deadline, Done done) {
  if (operations.empty()) return done({});
  Request request;
  std::size_t lane = LaneOf(operations.front());
  for (const Operation& operation : operations) {
    request.bytes += SizeOf(operation);
    const std::size_t own = LaneOf(operation);
    if (own == kWrites || lane == kWrites) {
      lane = kWrites;
    } else if (own != lane) {
      lane = kReads;
    }
  }
  request.operations = std::move(operations);
  request.deadline = deadline;
  request.done = std::move(done);
  Queue(std::move(request), lane);
}

void ConcurrentExecutor::SubmitOne(Operation&& operation, Deadline deadline, DoneOne done) {
  Request request;
  request.bytes = SizeOf(operation);
  const std::size_t lane = LaneOf(operation);
  request.operation = std::move(operation);
  request.deadline = deadline;
  request.done_one = std::move(done);
  Queue(std::move(request), lane);
}

bool ConcurrentExecutor::idle() const {
  return std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.requests.empty(); });
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

bool ConcurrentExecutor::Ready(const Lane& lane, SteadyClock::time_point now) const {
  if (lane.requests.empty()) return false;
  return lane.running < eager_batches_ || draining_ ||
         lane.operations >= std::min(options_.gather_operations, options_.max_batch_operations) ||
         now - lane.requests.front().queued_at >= options_.gather_time;
}

// Of those that are ready the one whose first request has waited for longest.
ConcurrentExecutor::Lane* ConcurrentExecutor::NextLane() {
  if (idle()) return nullptr;
  const auto now = SteadyClock::now();
  Lane* next = nullptr;
  for (Lane& lane : lanes_) {
    if (!Ready(lane, now)) continue;
    if (next == nullptr || lane.requests.front().queued_at < next->requests.front().queued_at) next = &lane;
  }
  return next;
}

bool ConcurrentExecutor::CallWorker() {
  // Who is on its way calls the next one if there is more than it takes.
  if (sleeping_ == 0 || called_ || idle()) return false;
  called_ = !watched_ || NextLane() != nullptr;
  return called_;
}

void ConcurrentExecutor::Sleep(std::unique_lock<std::mutex>& lock) {
  ++sleeping_;
  if (!idle() && !watched_) {
    auto first = SteadyClock::time_point::max();
    for (const Lane& lane : lanes_) {
      if (!lane.requests.empty()) first = std::min(first, lane.requests.front().queued_at);
    }
    watched_ = true;
    wake_.wait_until(lock, first + options_.gather_time);
    watched_ = false;
  } else {
    wake_.wait(lock);
  }
  --sleeping_;
  called_ = false;
}

void ConcurrentExecutor::WorkLoop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    Lane* const lane = NextLane();
    if (lane == nullptr) {
      if (draining_ && idle()) return;
      Sleep(lock);
      continue;
    }
    Batch batch = TakeBatch(*lane);
    ++lane->running;
    const bool more = CallWorker();
    const bool runs = !batch.operations.empty();
    if (runs) running_.insert(&batch);
    lock.unlock();
    if (more) wake_.notify_one();
    if (runs) {
      batch.results.resize(batch.operations.size());
      if (on_batch_) on_batch_(batch.operations.size());
      tracing::SharedContext contexts;
      for (const Request& request : batch.requests) contexts.Add(request.context);
      const tracing::Scope scope(contexts.Take());
      backend_->Execute(batch.operations, batch.results, batch.deadline);
    }
    lock.lock();
    running_.erase(&batch);
    bounds_.Remove(batch.taken, batch.bytes);
    lock.unlock();
    Answer(batch);
    lock.lock();
    --lane->running;
  }
}

ConcurrentExecutor::Batch ConcurrentExecutor::TakeBatch(Lane& lane) {
  Batch batch;
  // The latest deadline holds for the batch, so that a hurried caller does not fail a patient one.
  std::optional<SteadyClock::time_point> latest;
  bool infinite = false;
  const auto now = SteadyClock::now();
  const std::size_t some = std::min(lane.requests.size(), options_.max_batch_operations);
  batch.requests.reserve(some);
  batch.operations.reserve(some);
  while (!lane.requests.empty()) {
    Request& next = lane.requests.front();
    const bool fits =
        batch.requests.empty() || (batch.operations.size() + next.count() <= options_.max_batch_operations &&
                                   batch.bytes + next.bytes <= options_.max_batch_bytes);
    if (!fits) break;
    batch.bytes += next.bytes;
    batch.taken += next.count();
    lane.operations -= next.count();
    if (IsLate(next.deadline, now)) {
      batch.late.push_back(std::move(next));
      lane.requests.pop_front();
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
    lane.requests.pop_front();
  }
  if (!infinite && latest) batch.deadline = Deadline::At(*latest);
  return batch;
}

void ConcurrentExecutor::Answer(Batch& batch) {
  const Deferral deferral;
  std::size_t next = 0;
  for (Request& request : batch.requests) {
    if (request.answered) {
      next += request.count();
      continue;
    }
    const tracing::Scope scope(std::move(request.context));
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
  const auto now = SteadyClock::now();
  for (Lane& lane : lanes_) {
    std::deque<Request>& waiting = lane.requests;
    const auto first = std::stable_partition(waiting.begin(), waiting.end(),
                                             [now](const Request& request) { return !IsLate(request.deadline, now); });
    for (auto request = first; request != waiting.end(); ++request) {
      lane.operations -= request->count();
      bounds_.Remove(request->count(), request->bytes);
      late.push_back(std::move(*request));
    }
    waiting.erase(first, waiting.end());
  }
  return late;
}

// A backend that keeps to the batch's deadline answers the last of them itself, and knows more.
std::vector<ConcurrentExecutor::Overdue> ConcurrentExecutor::TakeOverdue() {
  std::vector<Overdue> overdue;
  const auto before = SteadyClock::now() - kLateCheck;
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
