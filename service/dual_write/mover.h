// What goes on in the background of a migration: everything is copied (backfill), then everything is compared, page by
// page by the hash of what both have there; what was copied is removed after an abort, the marks after the cut-over.
//
// One instance at a time is at it, by a lease in the source; two would do no harm. How far it is stands in the source
// (progress.h), so that another one goes on from there when it is killed.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "service/dual_write/membership.h"
#include "service/dual_write/mirror.h"
#include "service/dual_write/progress.h"
#include "service/storage/key_locks.h"

namespace holdfast::dual_write {

struct MoverOptions {
  std::size_t batch = 200;  // keys copied or compared at once; 0: others have to do it
  std::uint64_t rate = 0;   // keys a second at most; 0 = as fast as it goes
};

// Of one page at most: what it has in memory of each backend.
inline constexpr std::uint64_t kMoverPageBytes = 8u << 20;

// Thread-safe.
class Mover {
 public:
  // All outlive it. `range`: what moves.
  Mover(storage::Backend& source, storage::Backend& target, const Rows& rows, storage::KeyRange range,
        const Mirror& mirror, Membership& membership, storage::KeyLocks& locks, const MoverOptions& options,
        std::chrono::microseconds lease);
  ~Mover() { Stop(); }
  Mover(const Mover&) = delete;
  Mover& operator=(const Mover&) = delete;

  void Start();
  // Waits for the step in progress. Idempotent.
  void Stop();
  // The phase may have changed. Cheap; does not wait.
  void Wake();
  // Keys copied, compared or removed by this instance since it started.
  std::uint64_t keys() const { return keys_.load(std::memory_order_relaxed); }
  // As the source has it; of no migration before the first step.
  Result<Progress> Read(Deadline deadline) const;

  // Copies every key of which an instance may have changed the source without having copied it (an intent). While no
  // instance has a call under way. The intents of `living` instances are done with then; those of others stay, since
  // what one that was asleep has sent may yet arrive.
  Status CopyIntents(const std::string& id, const std::vector<std::string>& living, Deadline deadline) const;

 private:
  // What a step came to: how many keys, and whether there is no further one.
  struct Stepped {
    std::uint64_t keys = 0;
    bool complete = false;
    Phase next = Phase::kIdle;  // when complete
  };

  void Loop();
  // nullopt: there is nothing to do now.
  Result<std::optional<Stepped>> Step();
  Result<std::optional<Stepped>> StepIn(const Membership::Pass& pass, Deadline deadline);
  Result<bool> HoldDriver(Deadline deadline);
  Result<Progress> Load(const Membership::Pass& pass, Deadline deadline) const;
  Status Save(const Progress& progress, Deadline deadline) const;
  Result<Stepped> Backfill(const std::string& id, Progress progress, Deadline deadline);
  Result<Stepped> Compare(const std::string& id, Progress progress, Deadline deadline);
  Result<storage::ScanPage> Page(const std::string& cursor, bool keys_only, Deadline deadline) const;
  // Repairs keys under their locks in this process, so that its own writers do not get in between again and again.
  Result<std::uint64_t> Repair(const std::vector<std::string>& keys, const std::string& id, Deadline deadline) const;
  // Until there may be something to do.
  void Rest();
  void Pause(std::chrono::microseconds time);

  storage::Backend& source_;
  storage::Backend& target_;
  const Rows& rows_;
  const storage::KeyRange range_;
  const Mirror& mirror_;
  Membership& membership_;
  storage::KeyLocks& locks_;
  const MoverOptions options_;
  const std::chrono::microseconds lease_;

  bool cleaned_ = false;  // of the thread
  std::atomic<std::uint64_t> keys_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  bool woken_ = false;     // guarded by mutex_
  std::thread thread_;
};

}  // namespace holdfast::dual_write
