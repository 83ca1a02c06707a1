// The open interactive transactions of this process, by id.
//
// They live in memory: one that is open when the process ends is rolled back, since nothing of it has been written, and
// another replica does not know it. A commit leaves a row in its tenant's Room::kReplays, in the same atomic step as
// its writes and for `record_ttl`: a commit whose answer was lost, by a broken connection or a crash, is asked for
// again and answers that it took effect.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/result/result.h"
#include "base/time/clock.h"
#include "service/storage/periodic_task.h"
#include "service/storage/tenant_view.h"
#include "service/transactions/session.h"

namespace holdfast::transactions {

struct ManagerOptions {
  SessionLimits session;
  std::chrono::microseconds default_timeout = std::chrono::seconds{30};
  std::chrono::microseconds maximum_timeout = std::chrono::minutes{5};
  std::size_t max_open = 1'024;
  std::size_t max_open_per_tenant = 256;
  std::size_t max_total_bytes = 512u << 20;                       // held by all of them together
  std::size_t max_remembered = 4'096;                             // ended ones that are still told from unknown ones
  std::size_t max_remembered_keys = 100'000;                      // in the answers of their commits
  std::chrono::microseconds record_ttl = std::chrono::hours{24};  // of the row a commit leaves
};

struct Begun {
  std::string id;  // 32 hex digits, unguessable
  Timestamp expires_at;
};

struct Committed {
  // False: it is known that the commit took effect, not what versions came of it.
  bool keys_known = true;
  bool repeated = false;  // it took effect before this call; the keys have no entries
  std::vector<WrittenKey> keys;
};

// Thread-safe. Requests for one transaction run one at a time, in any order; those that wait do so up to their
// deadline.
//
// Every call with an id fails with kNotFound when no transaction of that tenant and store has it; the message says so
// when it has timed out, or ended otherwise, for as long as that is remembered.
class TransactionManager {
 public:
  TransactionManager(const ManagerOptions& options, const Clock& clock, metrics::Registry& registry);
  ~TransactionManager() { expiry_.Stop(); }

  // kInvalidArgument: a timeout of zero or less, or above the maximum. kUnavailable: too many are open.
  Result<Begun> Begin(const storage::TenantView& tenant, Isolation isolation,
                      std::optional<std::chrono::microseconds> timeout);

  // `operation` is of the client's keys and has passed Validate; the fence's key is one of the tenant's rooms.
  // kUnavailable: all open ones hold as much as they may; the transaction is still open.
  storage::OperationResult Execute(const storage::TenantView& tenant, std::string_view id, storage::Operation operation,
                                   const std::optional<Fence>& fence, Deadline deadline);
  Status Savepoint(const storage::TenantView& tenant, std::string_view id, std::string name, Deadline deadline);
  Status RollbackTo(const storage::TenantView& tenant, std::string_view id, std::string_view name, Deadline deadline);
  // Ok also when it has been rolled back before.
  Status Rollback(const storage::TenantView& tenant, std::string_view id, Deadline deadline);

  // kVersionConflict, kFenced: the transaction is over. kOutcomeUnknown: it is over, and a repeat says the same, or
  // that it took effect, once that can be seen. Every other error but kNotFound: it is still open, and the commit may
  // be repeated. A repeat of a commit that succeeded gives its answer again.
  Result<Committed> Commit(const storage::TenantView& tenant, std::string_view id, Deadline deadline);

  // Rolls back what has timed out; done every second, and tests need not wait for it.
  void ExpireDue();
  std::size_t open() const;

 private:
  enum class End { kCommitted, kRolledBack, kTimedOut, kConflict, kFenced, kOutcomeUnknown };
  static constexpr std::size_t kEnds = 6;
  struct Open {
    Open(Session new_session, MonotonicTime new_ends) : session(std::move(new_session)), ends(new_ends) {}
    std::timed_mutex mutex;
    Session session;  // guarded by mutex
    const MonotonicTime ends;
    bool over = false;        // guarded by mutex: ended while somebody waited for the mutex
    std::size_t counted = 0;  // guarded by mutex: what of held_bytes_ is its
  };
  struct Ended {
    End how = End::kRolledBack;
    std::string message;
    Committed committed;
  };
  using OpenPtr = std::shared_ptr<Open>;
  using Locked = std::unique_lock<std::timed_mutex>;
  struct Entered {
    OpenPtr open;
    Locked lock;
  };

  Result<Entered> Enter(const std::string& name, Deadline deadline);
  Error WhyNotOpen(const std::string& name) const;
  Result<Committed> RepeatCommit(const storage::TenantView& tenant, const std::string& name, std::string_view id,
                                 const Error& not_open, Deadline deadline);
  std::optional<Ended> FindEnded(const std::string& name) const;
  void CountBytes(Open& open, std::size_t now);
  void Close(const std::string& name, Open& open, Ended ended);
  void Remember(const std::string& name, Ended ended);

  const ManagerOptions options_;
  const Clock& clock_;
  metrics::Gauge& open_gauge_;
  std::array<metrics::Counter*, kEnds> ended_counters_;  // by End

  std::atomic<std::size_t> held_bytes_{0};

  mutable std::mutex mutex_;
  // By the prefix of tenant and store, and the id behind it.
  std::map<std::string, OpenPtr, std::less<>> open_;           // guarded by mutex_
  std::map<std::string, std::size_t, std::less<>> by_tenant_;  // guarded by mutex_
  std::map<std::string, Ended, std::less<>> ended_;            // guarded by mutex_
  std::deque<std::string> ended_order_;                        // guarded by mutex_; the oldest first
  std::size_t remembered_keys_ = 0;                            // guarded by mutex_

  storage::PeriodicTask expiry_;  // the last member: it uses the others
};

}  // namespace holdfast::transactions
