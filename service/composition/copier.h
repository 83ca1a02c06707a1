// Keeps the copy of a store in its secondary backend up with the primary: hears of every change, whoever made it, and
// writes it behind the acknowledgement, on a thread of its own. What was missed (before the start, while the change
// feed was broken, for want of room in the queue, when the secondary failed) is found by comparing both, key by key.
//
// One thread writes, so a state never replaces a newer one for good: what a comparison reads is older than the changes
// that are told behind it, and is written before them.
//
// How far the copy is behind is known and not hoped: the change feed is asked again and again how far it has told
// (Backend::AwaitListener), and an answer counts once all that had been told has been written.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/time/clock.h"
#include "service/composition/change_queue.h"
#include "service/composition/secondary_copy.h"
#include "service/storage/change_listener.h"
#include "service/storage/periodic_task.h"

namespace holdfast::composition {

struct CopierOptions {
  storage::KeyRange range;  // the keys that are copied
  ChangeQueueBounds queue;
  std::chrono::milliseconds call_timeout{5'000};  // of its calls to either backend
  std::chrono::milliseconds ask_interval{500};
  std::chrono::milliseconds retry_pause{500};  // behind a call that failed
};

// Thread-safe.
class Copier {
 public:
  // `primary`, `copy` and `clock` outlive it.
  Copier(storage::Backend& primary, const SecondaryCopy& copy, const CopierOptions& options, const Clock& clock);
  ~Copier() { Stop(); }
  Copier(const Copier&) = delete;
  Copier& operator=(const Copier&) = delete;

  // Compares both first of all. Once, when the primary tells `listener` already.
  void Start();
  // Has to hear of every change of the primary. May outlive the copier.
  std::shared_ptr<storage::ChangeListener> listener() const;

  // Whether the copy has ever been that of all keys since this process started.
  bool complete() const { return complete_.load(std::memory_order_acquire); }
  // How old the state is at most that the copy shows; none while that is unknown.
  std::optional<std::chrono::microseconds> Lag() const;
  std::size_t waiting() const { return queue_->waiting(); }
  bool comparing() const { return queue_->missed(); }
  std::uint64_t comparisons() const { return comparisons_.load(std::memory_order_relaxed); }
  std::uint64_t copied() const { return copied_.load(std::memory_order_relaxed); }

  // Waits until everything that has been told is written; false at the deadline.
  bool Drain(Deadline deadline) { return queue_->AwaitEmpty(deadline); }
  // Writes nothing from its return until Resume; what is told waits.
  void Pause();
  void Resume();
  // Idempotent. Neither backend is asked any more afterwards.
  void Stop();

 private:
  class Listener;

  using Copies = std::vector<SecondaryCopy::New>;

  void Loop();
  void Ask();
  Status WriteWaiting();
  Status Compare();
  // What has to be written so that the copies in `covered` are as the page is, which shows all keys there.
  Result<Copies> Differences(const storage::ScanPage& page, const storage::KeyRange& covered);
  Result<Copies> Fetch(const std::vector<std::string>& keys);
  // Waits while paused.
  Status Write(const Copies& copies);
  Deadline Patience() const { return Deadline::After(options_.call_timeout); }
  bool AwaitRetry();  // false once stopped

  storage::Backend& primary_;
  const SecondaryCopy& copy_;
  const CopierOptions options_;
  const Clock& clock_;
  const std::shared_ptr<ChangeQueue> queue_;  // shared with the listener
  const std::shared_ptr<storage::ChangeListener> listener_;
  std::atomic<bool> complete_{false};
  std::atomic<std::uint64_t> comparisons_{0};  // that were begun
  std::atomic<std::uint64_t> copied_{0};       // states written
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  bool paused_ = false;    // guarded by mutex_
  bool writing_ = false;   // guarded by mutex_; to the secondary
  std::optional<storage::PeriodicTask> asking_;
  std::thread thread_;
};

}  // namespace holdfast::composition
