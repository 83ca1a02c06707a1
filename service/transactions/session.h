// One interactive transaction over a backend, by optimistic concurrency: nothing is locked, nothing is written before
// the commit, and the commit is one Backend::Transact whose conditions are what the isolation level promised (Kung and
// Robinson, "On Optimistic Methods for Concurrency Control", TODS 6:2, 1981; backward validation). So it is as atomic
// and as durable as the backend's Transact, on every backend that has one.
//
//   serializable     every key that was looked at is unchanged at the commit, absent ones included.
//   repeatable_read  a key answers the same from first to last; keys that are written are unchanged since they were
//                    first looked at: the first committer wins, no update is lost. Write skew is possible.
//   read_committed   each look sees the newest committed value; unchanged since must be only what a write was decided
//                    by: a precondition that held, the number before an increment, what was taken or touched.
//
// Every level sees its own writes. A put or delete looks at its key too: its answer says whether something was there.
// Unchanged means: the same version, or absent both times. A touch by somebody else keeps the version and is no change.
//
// What is written has no version and no expiry before the commit; a TTL begins there. A failed operation (412, 404,
// 409 of an increment) changes nothing, and the transaction goes on.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "service/storage/backend.h"

namespace holdfast::transactions {

enum class Isolation { kReadCommitted, kRepeatableRead, kSerializable };
std::string_view IsolationName(Isolation isolation);  // "read_committed", ...
std::optional<Isolation> ParseIsolation(std::string_view name);

struct SessionLimits {
  // Reads and writes; at most a quarter of the backend's max_operations counts, since each may cost the commit a
  // condition, a write and the look at a fence.
  std::size_t max_operations = 2'000;
  std::size_t max_bytes = 32u << 20;  // keys and values that are held for it: what it wrote, and what it must remember
  std::size_t max_savepoints = 64;
  std::size_t max_savepoint_name_bytes = 128;
};

// A fencing token that must not be outdated when the transaction commits.
struct Fence {
  std::string key;  // of the row that holds the newest token
  std::uint64_t token = 0;
};

struct WrittenKey {
  std::string key;
  storage::Version version = 0;  // 0: it is gone
  std::optional<Timestamp> expires_at;
  // Of the last write.
  storage::OperationKind kind = storage::OperationKind::kPut;
  bool existed = false;
  storage::EntryPtr entry;  // what it wrote, as the session saw it; null: it is gone
};

// Not thread-safe.
class Session {
 public:
  Session(std::shared_ptr<storage::Backend> backend, Isolation isolation, const SessionLimits& limits,
          const Clock& clock);

  // The operation has passed Validate. Errors beside those of the backend: kInvalidArgument beyond max_operations,
  // kResourceExhausted beyond max_bytes, kFenced when the token is outdated already. All leave the session as it was.
  storage::OperationResult Execute(const storage::Operation& operation, const std::optional<Fence>& fence,
                                   Deadline deadline);

  // A savepoint may have the name of an earlier one, and hides it then.
  Status Savepoint(std::string name);
  // Undoes the writes since the newest savepoint of that name, which stays; those made after it are gone. What was read
  // stays read: it was seen. Empty = the newest. kFailedPrecondition when there is none.
  Status RollbackTo(std::string_view name);

  // All writes or none. `record`, when not empty, is the key of a row that is written in the same step and is kept for
  // `record_ttl`: who finds it knows that the commit took effect. The keys written, in byte order.
  //
  // kVersionConflict: somebody changed what this transaction depends on. kFenced: see Fence. Both are final: the same
  // commit would fail again. kOutcomeUnknown as ever. Any other error: nothing was done, and Commit may be called
  // again.
  Result<std::vector<WrittenKey>> Commit(const std::string& record, std::chrono::microseconds record_ttl,
                                         Deadline deadline);

  // Keys and values that are held for it now.
  std::size_t bytes() const { return bytes_; }

 private:
  struct Written {
    storage::Operation operation;
    // What the session saw under the key before; nullopt = what is committed.
    std::optional<storage::EntryPtr> hidden;
    std::size_t bytes = 0;
  };
  struct Mark {
    std::string name;
    std::size_t written = 0;
    std::size_t fences = 0;
  };

  Status CheckRoom(const storage::Operation& operation) const;
  Status CheckFence(const Fence& fence, Deadline deadline);
  Result<storage::EntryPtr> Committed(const std::string& key, Deadline deadline);
  void Pin(const std::string& key, const storage::EntryPtr& entry);
  storage::Transaction Plan(const std::string& record, std::chrono::microseconds record_ttl) const;

  const std::shared_ptr<storage::Backend> backend_;
  const Isolation isolation_;
  const SessionLimits limits_;
  const Clock& clock_;

  std::size_t operations_ = 0;
  std::size_t bytes_ = 0;
  // First answers, for the levels that repeat them; null = absent.
  std::map<std::string, storage::EntryPtr, std::less<>> read_;
  // What must be unchanged at the commit; 0 = absent.
  std::map<std::string, storage::Version, std::less<>> pinned_;
  // Own writes as they are seen: a view of `written_`; null = deleted.
  std::map<std::string, storage::EntryPtr, std::less<>> own_;
  std::vector<Written> written_;
  std::vector<Fence> fences_;
  std::vector<Mark> savepoints_;
};

}  // namespace holdfast::transactions
