// Locks as rows of a backend: who holds a lock, until when, and the fencing token of its newest holder.
//
// The lock row expires with its TTL, by the backend's clock; the fence row never does. Both change in one transaction
// that holds only if neither has changed since it was read, so any number of service instances may share a backend.
// Rows: docs/formats/coordination-rows.md.
//
// A token strictly increases per lock for ever: it is above the fence row's and not below the wall clock's
// microseconds, so that it goes on rising when a memory backend has lost everything, as long as the clock was not set
// back meanwhile.
//
// A lock cannot stop a holder that was asleep beyond its TTL (docs/api.md, "Fencing"): what the lock guards has to
// check the token, in the same transaction as the write.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "service/storage/backend.h"

namespace holdfast::coordination {

// Proof of having acquired: 128 random bits in hexadecimal.
using Lease = std::string;

struct Grant {
  Lease lease;
  std::uint64_t token = 0;
  Timestamp expires_at{};
};

struct Holder {
  std::string owner;
  std::uint64_t token = 0;
  Timestamp expires_at{};
};

// The lock row's value.
struct LockRow {
  Lease lease;
  std::string owner;
  std::uint64_t token = 0;

  std::string Encode() const;
  // nullopt when the bytes are no lock row.
  static std::optional<LockRow> Decode(std::string_view bytes);
};

Lease NewLease();

// A fencing token as a fence row has it; nullopt for what is none.
std::optional<std::uint64_t> ParseToken(std::string_view text);
// Far above what the clock gives; a greater number was not written here.
inline constexpr std::uint64_t kMaxToken = std::uint64_t{1} << 62;

// Where the rows of a lock stand in a tenant's rooms (storage::TenantView::rooms).
std::string LockKey(std::string_view name);
std::string FenceKey(std::string_view name);

// All of these work on a tenant's rooms, block like the backend and pass its errors on.

// Takes the lock as `lease` if it is free; otherwise tells who holds it. Not reentrant: its owner is told the same. A
// second call with the same lease finds what the first one took, so that an answer that was lost can be asked for
// again; the lock is taken once at most, with one token.
Result<std::variant<Grant, Holder>> TryAcquire(storage::Backend& rooms, std::string_view name, std::string_view owner,
                                               const Lease& lease, std::chrono::microseconds ttl, const Clock& clock,
                                               Deadline deadline);
// The grant with its new expiry, `ttl` from now; nullopt when the lease does not hold the lock (any more).
Result<std::optional<Grant>> Extend(storage::Backend& rooms, std::string_view name, std::string_view lease,
                                    std::chrono::microseconds ttl, Deadline deadline);
// False when the lease does not hold the lock (any more).
Result<bool> Release(storage::Backend& rooms, std::string_view name, std::string_view lease, Deadline deadline);
// For a lock that is decided elsewhere (quorum_locks.h): writes its row, whoever stands in it, and lifts the fence to
// its token. The newest token: that of the row, or a greater one, and then nothing is written.
Result<std::uint64_t> Record(storage::Backend& rooms, std::string_view name, const LockRow& row,
                             std::chrono::microseconds ttl, Deadline deadline);
// nullopt when nobody holds it.
Result<std::optional<Holder>> FindHolder(storage::Backend& rooms, std::string_view name, Deadline deadline);

}  // namespace holdfast::coordination
