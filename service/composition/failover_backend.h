// A store on a primary and a secondary backend. While the primary takes writes everything goes to it, and what it
// acknowledged is copied to the secondary behind the acknowledgement (copier.h). When it has not taken write probes for
// a while the secondary answers, until the primary has taken enough of them in a row.
//
// What is served from the secondary:
//   read_only   gets, scans and counts from the copy; writes are kUnavailable.
//   read_write  beside those, puts and deletes of plain keys without preconditions, which are kept in a journal and
//               replayed to the primary before it serves again (failover_journal.h says by which rule). Everything else
//               that writes is kUnavailable.
// Locks, fences and recorded answers are read and written on the primary only, and so is what depends on what stands
// there: preconditions, transactions, increments, takes, touches, deletes of a range.
//
// What is promised of the copy: status().copy_lag says how old it is at most; what the primary acknowledged in that
// time may be missing on the secondary, for strong reads too, and is there again with the primary. With a copy that has
// never been complete, or is older than max_lag, there is no switch: the primary's errors stand.
//
// A write in progress at the switch ends with what the primary says, kOutcomeUnknown when it hangs. Versions of entries
// that the secondary took lie in a range of their own (kSecondaryVersions) and end with the replay, which gives the key
// one of the primary's: they are never taken for one of those, but order does not hold across the return.
//
// Each process judges for itself: of two, one may be on its secondary while the other is not. That is why read_write is
// for a process that alone writes to the store.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>

#include "base/time/clock.h"
#include "service/composition/copier.h"
#include "service/composition/failover_journal.h"
#include "service/composition/secondary_copy.h"
#include "service/composition/write_probe.h"
#include "service/storage/failover_status.h"
#include "service/storage/forwarding_backend.h"

namespace holdfast::composition {

enum class FailoverMode { kReadOnly, kReadWrite };

struct FailoverOptions {
  std::string primary = "primary";  // names, for messages
  std::string secondary = "secondary";
  FailoverMode mode = FailoverMode::kReadOnly;
  std::chrono::milliseconds probe_interval{500};
  std::chrono::milliseconds probe_timeout{500};
  int failures = 3;    // probes in a row until the secondary serves
  int successes = 10;  // probes in a row until the primary does again
  // Of a call to the primary, but for counts and deletes of a range: for so long one that hangs holds up its caller.
  std::chrono::milliseconds call_timeout{2'000};
  std::chrono::milliseconds max_lag{60'000};
  // How long a switch waits for what has been told and is not copied yet.
  std::chrono::milliseconds drain_time{300};
  CopierOptions copier;
  JournalOptions journal;
  // Told of every switch, and of why there is none; from a thread of the store's.
  std::function<void(const storage::FailoverStatus&)> on_change;
};

class FailoverBackend final : public storage::ForwardingBackend, public storage::FailoverView {
 public:
  // `clock` is the one that both backends go by, and outlives it.
  FailoverBackend(std::shared_ptr<storage::Backend> primary, std::shared_ptr<storage::Backend> secondary,
                  FailoverOptions options, const Clock& clock = SystemClock());
  ~FailoverBackend() override { Stop(); }

  // Begins to probe and to copy. Once, when the primary tells `listener` of its changes; before it calls wait.
  void Start();
  void Stop() override;

  std::string_view kind() const override { return "failover"; }
  storage::Capabilities capabilities() const override;
  void Execute(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override;
  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override;
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override;
  // Of whoever answers scans.
  Result<std::unique_ptr<storage::Snapshot>> OpenSnapshot(const storage::KeyRange& range, Deadline deadline) override;
  Result<std::uint64_t> Count(const storage::KeyRange& range, Deadline deadline) override;
  Result<std::uint64_t> DeleteRange(const storage::KeyRange& range, Deadline deadline) override;
  // Has the primary tell the copier first.
  void SetChangeListener(std::shared_ptr<storage::ChangeListener> listener) override;
  // Closes the secondary as well.
  Status Close() override;

  // Has to hear of every change of the primary. For who gives that a listener itself.
  std::shared_ptr<storage::ChangeListener> listener() const { return copier_.listener(); }
  storage::FailoverStatus status() const override;
  Result<storage::FailoverConflicts> Conflicts(const storage::KeyRange& keys, std::size_t most,
                                               Deadline deadline) const override;

 private:
  enum class Serving { kRecovering, kPrimary, kSecondary, kReplaying };

  // Waits while the writes of an earlier process are replayed.
  Result<Serving> Served(const Deadline& deadline);
  void ReadCopies(std::span<const storage::Operation> gets, std::span<storage::OperationResult> results,
                  const Deadline& deadline);
  void WriteSecondary(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
                      const Deadline& deadline);
  Error Refused(std::string_view what);
  Deadline Bounded(const Deadline& deadline) const { return deadline.Sooner(Deadline::After(options_.call_timeout)); }

  void Watch();
  void Decide(const Status& probed);
  void OpenJournal();
  void SwitchOver(const Error& why);
  void Return();
  void Serve(Serving serving, const std::string& reason);
  void Explain(const std::string& reason);
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }

  const FailoverOptions options_;
  const Clock& clock_;
  const SecondaryCopy copy_;
  FailoverJournal journal_;
  Copier copier_;
  std::atomic<Serving> serving_{Serving::kRecovering};
  std::shared_mutex writes_;  // shared: a write of the secondary is under way
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> refused_writes_{0};
  std::atomic<std::uint64_t> switches_{0};
  std::atomic<std::uint64_t> returns_{0};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Timestamp since_;     // guarded by mutex_; of serving_
  std::string reason_;  // guarded by mutex_

  // Of the watching thread:
  Hysteresis hysteresis_;
  bool journal_known_ = false;
  WriteProbe probe_;
  std::thread watcher_;
};

}  // namespace holdfast::composition
