// Brings the writes of a queue to the system of record, on a thread of its own, with retries.
//
// The rule for conflicts is that of a failover store's journal: a write is brought as a compare-and-swap on what stood
// there when it was taken. If somebody else has written the key meanwhile, that stands, whatever the order in time was,
// and the write is kept as a conflict, counted and listed. Where the system of record could not be asked when the write
// was taken, what it has now stands if it was written later than that, by its clock and this machine's. Bringing a
// write twice is harmless: what is there already is done.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/time/backoff.h"
#include "base/time/clock.h"
#include "service/composition/write_queue.h"

namespace holdfast::composition {

struct DrainOptions {
  std::size_t batch_entries = 256;                // brought at once
  std::size_t batch_bytes = 4u << 20;             // the same
  std::chrono::milliseconds call_timeout{5'000};  // of a call to the system of record
  std::chrono::milliseconds retry_min{50};        // back-off, with full jitter
  std::chrono::milliseconds retry_max{5'000};
  // Told when the system of record does not take what is brought, and when it does again; from the thread.
  std::function<void(bool away, const std::string& reason)> on_change;
};

// Thread-safe.
class WriteDrain {
 public:
  // Told of a write that the system of record has now, and of its version there, before it leaves the queue.
  using Settled = std::function<void(const QueuedWrite& write, storage::Version version)>;

  // `exact`: writes carry versions that the record reserved. All outlive it.
  WriteDrain(WriteQueue& queue, storage::Backend& record, bool exact, DrainOptions options, Settled settled,
             const Clock& clock);
  ~WriteDrain() { Stop(Deadline::After({})); }

  void Start();
  // Until the queue is empty or the deadline passes; then no more. Idempotent.
  void Stop(Deadline deadline);

  // The system of record did not take what it was last brought.
  bool away() const { return away_.load(std::memory_order_acquire); }
  std::string reason() const;
  std::uint64_t retries() const { return retries_.load(std::memory_order_relaxed); }

 private:
  using Results = std::vector<storage::OperationResult>;
  // How one is brought, or that it is not.
  struct Plan {
    storage::Operation operation;
    std::optional<SettledWrite> settled = {};  // without being brought: it lost, or is there already
  };

  void Run();
  // One batch. An error: the system of record took none of it.
  Status Bring(const std::vector<QueuedWrite>& writes);
  Result<std::vector<Plan>> PlanOf(const std::vector<QueuedWrite>& writes) const;
  Result<std::vector<SettledWrite>> Judge(const std::vector<QueuedWrite>& writes, const std::vector<Plan>& plans,
                                          const Results& results) const;
  void Note(const Status& status);
  Deadline Patience() const { return Deadline::After(options_.call_timeout); }

  WriteQueue& queue_;
  storage::Backend& record_;
  const bool exact_;
  const DrainOptions options_;
  const Settled settled_;
  const Clock& clock_;
  std::atomic<bool> away_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> retries_{0};
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::string reason_;  // guarded by mutex_
  Backoff backoff_;     // of the thread
  std::thread thread_;
};

}  // namespace holdfast::composition
