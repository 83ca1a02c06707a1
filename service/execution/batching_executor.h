// The executor behind MakeExecutor; see executor.h.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "service/execution/executor.h"
#include "service/execution/queue_bounds.h"
#include "service/execution/task_pool.h"
#include "service/tracing/context.h"

namespace holdfast::execution {

class BatchingExecutor : public Executor {
 public:
  BatchingExecutor(std::shared_ptr<storage::Backend> backend, const ExecutorOptions& options,
                   std::function<void(std::size_t operations)> on_batch);
  ~BatchingExecutor() override;

  void Submit(std::vector<storage::Operation> operations, Deadline deadline, Done done) override;
  void SubmitOne(storage::Operation&& operation, Deadline deadline, DoneOne done) override;
  bool Run(std::function<void()> task) override;
  void Drain() override;

 private:
  // Several operations that were submitted together and are answered together, in whatever batches they ran.
  struct Group {
    std::vector<storage::OperationResult> results;
    std::atomic<std::size_t> unanswered;
    Done done;
  };

  struct Waiting {
    storage::Operation operation;
    std::size_t bytes = 0;
    Deadline deadline = Deadline::Infinite();
    DoneOne done;                  // of a single operation
    std::shared_ptr<Group> group;  // else
    tracing::ContextPtr context;
    std::size_t index = 0;  // in group->results
  };

  // What one turn of the committer takes. operations[i], results[i] and callers[i] belong together.
  struct Batch {
    std::vector<storage::Operation> operations;
    std::vector<storage::OperationResult> results;
    std::vector<Waiting> callers;
    std::vector<Waiting> late;  // their deadline passed while they waited
    Deadline deadline = Deadline::Infinite();
    std::size_t bytes = 0;
    std::size_t taken() const { return callers.size() + late.size(); }
  };

  bool RunsInline(storage::OperationKind kind) const {
    return storage::IsWrite(kind) ? capabilities_.inline_writes : capabilities_.inline_reads;
  }
  // Null when the operations fit in the queue, else why they do not.
  std::optional<Error> Refusal(std::size_t operations, std::size_t bytes) const;  // with mutex_ held
  // Counts what was just queued, lets go of mutex_ and wakes a committer if none is at work.
  void Queued(std::unique_lock<std::mutex> lock, std::size_t operations, std::size_t bytes);
  void CommitLoop();
  Batch TakeBatch();                // with mutex_ held
  std::vector<Waiting> TakeLate();  // with mutex_ held
  static void AnswerLate(std::vector<Waiting>& late);
  void RunBatch(Batch& batch);
  void Answer(Batch& batch);
  static void AnswerOne(Waiting& caller, storage::OperationResult result);

  // Constant after construction.
  const std::shared_ptr<storage::Backend> backend_;
  const ExecutorOptions options_;
  const std::function<void(std::size_t operations)> on_batch_;
  const storage::Capabilities capabilities_;

  // Read without the lock by the inline path; written under it.
  std::atomic<bool> draining_{false};

  std::mutex mutex_;
  std::condition_variable wake_;  // committers: work, a free turn, or the end
  std::deque<Waiting> waiting_;   // guarded by mutex_
  QueueBounds bounds_;            // guarded by mutex_
  bool committing_ = false;       // guarded by mutex_; the turn to Execute is taken
  int sleeping_ = 0;              // guarded by mutex_; committers in wake_

  std::mutex drain_mutex_;  // one Drain joins, others wait for it
  TaskPool pool_;
  std::array<std::thread, 2> committers_;
};

}  // namespace holdfast::execution
