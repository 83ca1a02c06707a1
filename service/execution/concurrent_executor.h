// The executor in front of a backend behind a network: as many workers as the backend has connections. A worker takes
// whatever reads, or whatever writes, are waiting and runs them as one Execute; while it waits for the answer the next
// batch gathers. Reads and writes go apart, so that a get does not wait for a disk, and so do reads that a replica may
// answer, so that they wait for no primary. See executor.h.
//
// Most of what a call costs, here and at the server, it costs for one operation as for thirty. So beside as many
// batches of a kind as the backend has eager_calls another one starts only when it has gather_operations, or when one
// of them has waited for gather_time: a call that hangs holds nobody up for longer (the thought of J. Nagle, RFC 896:
// what is under way is reason to gather).
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "service/execution/executor.h"
#include "service/execution/queue_bounds.h"
#include "service/execution/task_pool.h"
#include "service/tracing/context.h"

namespace holdfast::execution {

class ConcurrentExecutor : public Executor {
 public:
  ConcurrentExecutor(std::shared_ptr<storage::Backend> backend, const ExecutorOptions& options,
                     const storage::Capabilities& capabilities, std::function<void(std::size_t operations)> on_batch);
  ~ConcurrentExecutor() override;

  void Submit(std::vector<storage::Operation> operations, Deadline deadline, Done done) override;
  void SubmitOne(storage::Operation&& operation, Deadline deadline, DoneOne done) override;
  bool Run(std::function<void()> task) override;
  void Drain() override;

 private:
  // Operations that were submitted together stay together: they take effect in their order.
  struct Request {
    std::vector<storage::Operation> operations;  // when there are several
    storage::Operation operation;                // else
    std::size_t bytes = 0;
    std::chrono::steady_clock::time_point queued_at;
    Deadline deadline = Deadline::Infinite();
    DoneOne done_one;  // of a single operation
    Done done;         // else
    tracing::ContextPtr context;
    bool answered = false;  // guarded by mutex_ while its batch is running; the deadline passed inside the backend

    std::size_t count() const { return done_one ? 1 : operations.size(); }
    void Fail(const Error& error);
  };
  // Reads, writes, or reads that a replica may answer.
  struct Lane {
    std::deque<Request> requests;
    std::size_t operations = 0;  // in requests
    int running = 0;             // batches that are not answered yet
  };

  // What a worker takes. The operations of the requests stand behind each other.
  struct Batch {
    std::vector<Request> requests;
    std::vector<Request> late;  // their deadline passed while they waited
    std::vector<storage::Operation> operations;
    std::vector<storage::OperationResult> results;
    Deadline deadline = Deadline::Infinite();
    std::size_t taken = 0;  // operations, late ones included
    std::size_t bytes = 0;
  };

  // An answer that does not wait for the batch.
  struct Overdue {
    DoneOne done_one;
    Done done;
    std::vector<storage::OperationResult> results;
  };

  void Queue(Request request, std::size_t lane);
  void WorkLoop();
  void LateLoop();
  // With mutex_ held:
  bool idle() const;
  bool Ready(const Lane& lane, std::chrono::steady_clock::time_point now) const;
  Lane* NextLane();  // null: nothing is to be started yet
  Batch TakeBatch(Lane& lane);
  void Sleep(std::unique_lock<std::mutex>& lock);
  bool CallWorker();  // whether the caller is to notify wake_
  std::vector<Request> TakeLate();
  std::vector<Overdue> TakeOverdue();
  void Answer(Batch& batch);

  // Constant after construction.
  const std::shared_ptr<storage::Backend> backend_;
  const ExecutorOptions options_;
  const int eager_batches_;
  const std::function<void(std::size_t operations)> on_batch_;

  std::mutex mutex_;
  std::condition_variable wake_;       // workers: something is ready, or its time is to be watched, or the end
  std::condition_variable late_wake_;  // the end
  std::array<Lane, 3> lanes_;          // guarded by mutex_; reads, writes, eventual reads
  std::set<Batch*> running_;           // guarded by mutex_; inside the backend
  QueueBounds bounds_;                 // guarded by mutex_
  int sleeping_ = 0;                   // guarded by mutex_; workers in wake_
  bool called_ = false;                // guarded by mutex_; one of them has been notified and is on its way
  bool watched_ = false;               // guarded by mutex_; one of them wakes when what waits has waited long enough
  bool draining_ = false;              // guarded by mutex_

  std::mutex drain_mutex_;  // one Drain joins, others wait for it
  TaskPool pool_;
  std::vector<std::thread> workers_;
  std::thread late_;
};

}  // namespace holdfast::execution
