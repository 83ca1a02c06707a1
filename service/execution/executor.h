// How requests reach a backend without holding up the thread that reads the network. An Executor decides where the work
// runs; it never changes what the work means.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/storage/backend.h"

namespace holdfast::execution {

// Thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;

  // Runs the operations and calls `done` exactly once, from any thread, possibly before Submit returns. When the queue
  // is full every result is kUnavailable and nothing was attempted; likewise after Drain. Operations whose deadline
  // passes while they wait are kDeadlineExceeded, within 100 ms also when the backend hangs, and were not attempted. In
  // front of a backend that takes several calls at once the same holds, within 200 ms, for those it is at work on:
  // reads are kDeadlineExceeded, writes kOutcomeUnknown. What one thread submits takes effect in its order, except that
  // a get does not wait for the writes submitted before it; in front of a backend that takes several calls at once only
  // what was submitted together keeps its order. `done` is short, does not throw and does not call Drain.
  using Done = std::function<void(std::vector<storage::OperationResult>)>;
  virtual void Submit(std::vector<storage::Operation> operations, Deadline deadline, Done done) = 0;

  // The same for a single operation, without the vectors.
  using DoneOne = std::function<void(storage::OperationResult&&)>;
  virtual void SubmitOne(storage::Operation&& operation, Deadline deadline, DoneOne done) = 0;

  // Runs any other call on the backend's own bounded pool. False when its queue is full: nothing was queued.
  virtual bool Run(std::function<void()> task) = 0;

  // Refuses further work and waits for everything submitted before. Idempotent; the destructor does it too.
  virtual void Drain() = 0;
};

struct ExecutorOptions {
  std::size_t max_queued_operations = 65'536;
  std::size_t max_queued_bytes = 256u << 20;  // keys and values of them
  std::size_t max_batch_operations = 512;     // one backend Execute holds at most so many
  std::size_t max_batch_bytes = 8u << 20;
  // In front of a backend that takes several calls at once: a batch beside those that the backend takes at once
  // (capabilities().eager_calls) waits for so many operations, but not longer than this. Zero: it never waits.
  std::size_t gather_operations = 32;
  std::chrono::microseconds gather_time{1'000};
  int pool_threads = 2;  // for Run
  std::size_t max_queued_tasks = 1'024;
};

// Gets (and writes, where the backend says inline_writes) run on the caller's thread. Everything else goes to the
// committer, which drains whatever waits and hands it over as one Execute: natural batching. There is no timer; a batch
// holds one operation when idle and grows with the load. Batch sizes are observed through `on_batch`.
//
// One Execute runs at a time, but the committer has two threads that take turns (leader and followers: Schmidt et al.,
// "Leader/Followers", PLoP 2000): while one tells its callers, the other is already in the next Execute.
//
// A backend that takes several calls at once (capabilities().concurrent_calls) gets so many workers instead, each of
// which takes whatever reads or writes wait, or waits shortly for more: concurrent_executor.h.
std::unique_ptr<Executor> MakeExecutor(std::shared_ptr<storage::Backend> backend, const ExecutorOptions& options,
                                       std::function<void(std::size_t operations)> on_batch = {});

}  // namespace holdfast::execution
