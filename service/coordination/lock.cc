#include "service/coordination/lock.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <charconv>
#include <cstdlib>

#include "service/storage/key_space.h"

namespace holdfast::coordination {
namespace {

using storage::Expiry;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

// How often a step is begun again because somebody changed the rows in between. Each such change is somebody else's
// progress; so many in a row mean a backend that does not do what it says.
constexpr int kMaxAttempts = 32;
constexpr std::size_t kLeaseBytes = 16;

std::string InRoom(storage::Room room, std::string_view name) {
  std::string key(1, static_cast<char>(room));
  key.append(name);
  return key;
}

Error Damaged(std::string_view what) {
  return {ErrorCode::kCorruption,
          fmt::format("the {} row of the lock is damaged; restore the store from a backup or delete the row", what)};
}

Error Contended() {
  return {ErrorCode::kUnavailable, "the lock changed hands again and again meanwhile; try again"};
}

// A row as it stands, or nothing.
Result<storage::EntryPtr> Read(OperationResult& result) {
  if (result.status.ok()) return std::move(result.entry);
  if (result.status.error().code() == ErrorCode::kNotFound) return storage::EntryPtr();
  return std::move(result.status).error();
}

struct StoredLock {
  LockRow row;
  storage::Version version = 0;
  Timestamp expires_at{};
};

Result<std::optional<StoredLock>> Interpret(const storage::EntryPtr& entry) {
  if (entry == nullptr) return std::optional<StoredLock>();
  auto row = LockRow::Decode(entry->value);
  // A lock row always expires; one that would not could never be taken again.
  if (!row || !entry->expires_at) return Damaged("lock");
  return std::optional(StoredLock{std::move(*row), entry->version, *entry->expires_at});
}

Result<std::optional<StoredLock>> ReadLock(storage::Backend& rooms, std::string_view name, Deadline deadline) {
  OperationResult result = storage::ExecuteOne(rooms, Operation::Get(LockKey(name)), deadline);
  HOLDFAST_ASSIGN_OR_RETURN(const storage::EntryPtr entry, Read(result));
  return Interpret(entry);
}

bool LostRace(const Status& status) {
  const ErrorCode code = status.error().code();
  return code == ErrorCode::kNotFound || code == ErrorCode::kVersionConflict || code == ErrorCode::kAlreadyExists;
}

// The first operation of a refused branch that has a reason of its own.
Error WhyRefused(storage::TransactionResult& result) {
  for (OperationResult& operation : result.results) {
    if (!operation.status.ok() && operation.status.error().code() != ErrorCode::kCancelled) {
      return std::move(operation.status).error();
    }
  }
  return {ErrorCode::kInternal, "the backend refused to write the lock and gave no reason"};
}

// The token of a fence row; 0 when there is none.
Result<std::uint64_t> NewestToken(const storage::EntryPtr& fence) {
  if (fence == nullptr) return std::uint64_t{0};
  const auto newest = ParseToken(fence->value);
  if (!newest || *newest == kMaxToken) return Damaged("fence");
  return *newest;
}

Precondition AsItWas(const storage::EntryPtr& row) {
  return row == nullptr ? Precondition::Absent() : Precondition::VersionIs(row->version);
}

// The lock row, and its token as the newest one, if nobody has lifted the fence since it was read.
storage::Transaction Taking(std::string_view name, const LockRow& row, std::chrono::microseconds ttl,
                            const storage::EntryPtr& fence) {
  storage::Transaction transaction;
  transaction.conditions.push_back({FenceKey(name), AsItWas(fence)});
  transaction.then.push_back(Operation::Put(LockKey(name), row.Encode(), {}, Expiry::After(ttl)));
  transaction.then.push_back(Operation::Put(FenceKey(name), std::to_string(row.token)));
  return transaction;
}

}  // namespace

std::optional<std::uint64_t> ParseToken(std::string_view text) {
  std::uint64_t token = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), token);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || token > kMaxToken) {
    return std::nullopt;
  }
  return token;
}

std::string LockRow::Encode() const {
  return fmt::format("1\n{}\n{}\n{}", lease, token, owner);
}

std::optional<LockRow> LockRow::Decode(std::string_view bytes) {
  std::array<std::string_view, 3> lines;
  for (std::string_view& line : lines) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    line = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
  }
  const auto token = ParseToken(lines[2]);
  if (lines[0] != "1" || lines[1].size() != 2 * kLeaseBytes || !token) return std::nullopt;
  return LockRow{std::string(lines[1]), std::string(bytes), *token};
}

Lease NewLease() {
  std::array<unsigned char, kLeaseBytes> bytes{};
  // Never short for so few bytes; it fails only where there is no such call, and guessable leases are no option.
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  Lease lease;
  for (const unsigned char byte : bytes) fmt::format_to(std::back_inserter(lease), "{:02x}", byte);
  return lease;
}

std::string LockKey(std::string_view name) {
  return InRoom(storage::Room::kLocks, name);
}

std::string FenceKey(std::string_view name) {
  return InRoom(storage::Room::kFences, name);
}

Result<std::variant<Grant, Holder>> TryAcquire(storage::Backend& rooms, std::string_view name, std::string_view owner,
                                               const Lease& lease, std::chrono::microseconds ttl, const Clock& clock,
                                               Deadline deadline) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const std::array reads{Operation::Get(LockKey(name)), Operation::Get(FenceKey(name))};
    std::array<OperationResult, 2> rows;
    rooms.Execute(reads, rows, deadline);
    HOLDFAST_ASSIGN_OR_RETURN(const storage::EntryPtr lock_entry, Read(rows[0]));
    HOLDFAST_ASSIGN_OR_RETURN(const storage::EntryPtr fence, Read(rows[1]));
    HOLDFAST_ASSIGN_OR_RETURN(auto held, Interpret(lock_entry));
    if (held && held->row.lease == lease) {
      return std::variant<Grant, Holder>(Grant{lease, held->row.token, held->expires_at});
    }
    if (held) return std::variant<Grant, Holder>(Holder{held->row.owner, held->row.token, held->expires_at});

    auto token = static_cast<std::uint64_t>(std::max<std::int64_t>(clock.Now().time_since_epoch().count(), 1));
    HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t newest, NewestToken(fence));
    token = std::max(token, newest + 1);
    storage::Transaction transaction = Taking(name, {lease, std::string(owner), token}, ttl, fence);
    transaction.conditions.push_back({LockKey(name), Precondition::Absent()});
    HOLDFAST_ASSIGN_OR_RETURN(auto result, rooms.Transact(transaction, deadline));
    if (!result.conditions_held) continue;
    if (!result.applied) return WhyRefused(result);
    return std::variant<Grant, Holder>(Grant{lease, token, result.results[0].expires_at.value_or(Timestamp{})});
  }
  return Contended();
}

Result<std::optional<Grant>> Extend(storage::Backend& rooms, std::string_view name, std::string_view lease,
                                    std::chrono::microseconds ttl, Deadline deadline) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    HOLDFAST_ASSIGN_OR_RETURN(const auto held, ReadLock(rooms, name, deadline));
    if (!held || held->row.lease != lease) return std::optional<Grant>();
    // A touch keeps the version: the version is that of the lease, and only of it.
    const OperationResult touched = storage::ExecuteOne(
        rooms, Operation::Touch(LockKey(name), Expiry::After(ttl), Precondition::VersionIs(held->version)), deadline);
    if (touched.status.ok()) {
      return std::optional(Grant{held->row.lease, held->row.token, touched.expires_at.value_or(Timestamp{})});
    }
    if (!LostRace(touched.status)) return touched.status.error();
  }
  return Contended();
}

Result<bool> Release(storage::Backend& rooms, std::string_view name, std::string_view lease, Deadline deadline) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    HOLDFAST_ASSIGN_OR_RETURN(const auto held, ReadLock(rooms, name, deadline));
    if (!held || held->row.lease != lease) return false;
    const OperationResult deleted =
        storage::ExecuteOne(rooms, Operation::Delete(LockKey(name), Precondition::VersionIs(held->version)), deadline);
    if (deleted.status.ok()) return true;
    if (!LostRace(deleted.status)) return deleted.status.error();
  }
  return Contended();
}

Result<std::uint64_t> Record(storage::Backend& rooms, std::string_view name, const LockRow& row,
                             std::chrono::microseconds ttl, Deadline deadline) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    OperationResult read = storage::ExecuteOne(rooms, Operation::Get(FenceKey(name)), deadline);
    HOLDFAST_ASSIGN_OR_RETURN(const storage::EntryPtr fence, Read(read));
    HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t newest, NewestToken(fence));
    if (newest > row.token) return newest;
    HOLDFAST_ASSIGN_OR_RETURN(auto result, rooms.Transact(Taking(name, row, ttl, fence), deadline));
    if (!result.conditions_held) continue;
    if (!result.applied) return WhyRefused(result);
    return row.token;
  }
  return Contended();
}

Result<std::optional<Holder>> FindHolder(storage::Backend& rooms, std::string_view name, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(auto held, ReadLock(rooms, name, deadline));
  if (!held) return std::optional<Holder>();
  return std::optional(Holder{std::move(held->row.owner), held->row.token, held->expires_at});
}

}  // namespace holdfast::coordination
