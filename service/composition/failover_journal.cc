#include "service/composition/failover_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "service/composition/replay.h"
#include "service/storage/decision.h"

namespace holdfast::composition {

using storage::EntryPtr;
using storage::Expiry;
using storage::Operation;
using storage::OperationKind;
using storage::OperationResult;
using storage::Precondition;
using storage::Version;

namespace {

constexpr std::size_t kWritesAtOnce = 256;  // in one transaction of the secondary
constexpr std::size_t kRowsAtOnce = 128;    // of a replay

// All of it, or an error.
Status Apply(storage::Backend& backend, const storage::Transaction& transaction, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const storage::TransactionResult done, backend.Transact(transaction, deadline));
  return done.applied ? Status() : FirstError(done.results);
}

}  // namespace

// What stands there of a key, and what becomes of it.
struct FailoverJournal::Known {
  EntryPtr entry;
  JournalRow row;
  bool journaled = false;  // before
};

Status FailoverJournal::Open(Deadline deadline) {
  auto count = copy_.backend().Count(FailoverRange(FailoverRow::kJournal, options_.range), deadline);
  if (!count.ok()) return count.error();
  entries_.store(*count, std::memory_order_relaxed);
  return versions_.Open(deadline);
}

Status FailoverJournal::MayTake(const Operation& operation) {
  const bool kind = operation.kind == OperationKind::kPut || operation.kind == OperationKind::kDelete;
  if (kind && operation.precondition.kind == Precondition::Kind::kNone && IsPlainKey(operation.key)) return {};
  return Error(ErrorCode::kUnavailable,
               "the store is on its secondary backend, which takes only puts and deletes of keys without a "
               "precondition; nothing was done, try again when the primary is back");
}

void FailoverJournal::Take(std::span<const Operation> operations, std::span<OperationResult> results,
                           Deadline deadline) {
  for (std::size_t at = 0; at < operations.size(); at += kWritesAtOnce) {
    const std::size_t some = std::min(kWritesAtOnce, operations.size() - at);
    const Status taken = TakeSome(operations.subspan(at, some), results.subspan(at, some), deadline);
    if (!taken.ok()) storage::FailAll(results.subspan(at, some), taken.error());
  }
}

Status FailoverJournal::TakeSome(std::span<const Operation> operations, std::span<OperationResult> results,
                                 Deadline deadline) {
  std::vector<std::string_view> keys;
  std::map<std::string, Known, std::less<>> known;
  for (const Operation& operation : operations) {
    if (known.try_emplace(operation.key).second) keys.push_back(operation.key);
  }
  const storage::KeyLocks::Held held = locks_.Lock(keys);
  HOLDFAST_RETURN_IF_ERROR(Look(known, deadline));
  const auto fresh = static_cast<std::uint64_t>(
      std::count_if(known.begin(), known.end(), [](const auto& one) { return !one.second.journaled; }));
  if (entries() + fresh > options_.max_entries) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("the secondary has as many writes for the primary as failover_journal_keys allows ({}); "
                             "nothing was done, try again when the primary is back",
                             options_.max_entries));
  }
  const Timestamp now = clock_.Now();
  for (std::size_t i = 0; i < operations.size(); ++i) {
    Known& one = known.find(operations[i].key)->second;
    HOLDFAST_ASSIGN_OR_RETURN(const Version version, versions_.Next(one.entry ? one.entry->version : 0, deadline));
    storage::Decision decision = Decide(operations[i], one.entry, version, now, results[i]);
    if (decision.change != storage::Change::kNone) one.entry = std::move(decision.entry);
    one.row.entry = one.entry;
  }
  HOLDFAST_RETURN_IF_ERROR(Keep(known, deadline));
  entries_.fetch_add(fresh, std::memory_order_relaxed);
  return {};
}

Status FailoverJournal::Keep(const std::map<std::string, Known, std::less<>>& known, Deadline deadline) const {
  storage::Transaction transaction;
  for (const auto& [key, one] : known) {
    transaction.then.push_back(SecondaryCopy::WriteOf({key, one.entry}));
    transaction.then.push_back(Operation::Put(FailoverKey(FailoverRow::kJournal, key), EncodeJournalRow(one.row)));
  }
  return Apply(copy_.backend(), transaction, deadline);
}

Status FailoverJournal::Look(std::map<std::string, Known, std::less<>>& known, Deadline deadline) const {
  std::vector<Operation> gets;
  gets.reserve(2 * known.size());
  for (const auto& [key, one] : known) {
    gets.push_back(Operation::Get(FailoverKey(FailoverRow::kCopy, key)));
    gets.push_back(Operation::Get(FailoverKey(FailoverRow::kJournal, key)));
  }
  std::vector<OperationResult> found(gets.size());
  copy_.backend().Execute(gets, found, deadline);
  std::size_t at = 0;
  for (auto& [key, one] : known) {
    const OperationResult& copied = found[at++];
    const OperationResult& journaled = found[at++];
    for (const OperationResult* result : {&copied, &journaled}) {
      if (!result->status.ok() && !IsCode(result->status, ErrorCode::kNotFound)) return result->status;
    }
    if (copied.status.ok()) one.entry = DecodeFailoverCopy(copied.entry->value);
    one.journaled = journaled.status.ok();
    auto row = one.journaled ? DecodeJournalRow(journaled.entry->value) : std::nullopt;
    if (one.journaled && !row) return Error(ErrorCode::kCorruption, "a row of the secondary's journal is damaged");
    if (row) {
      one.row = *std::move(row);
    } else if (one.entry != nullptr) {
      one.row.base = one.entry->version;
      one.row.base_expires_at = one.entry->expires_at;
    }
  }
  return {};
}

Result<std::vector<FailoverJournal::Row>> FailoverJournal::NextRows() const {
  storage::ScanRequest request;
  request.range = FailoverRange(FailoverRow::kJournal, options_.range);
  request.limit = kRowsAtOnce;
  HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, copy_.backend().Scan(request, Patience()));
  std::vector<Row> rows;
  for (const storage::KeyedEntry& found : page.entries) {
    auto key = KeyOfRow(FailoverRow::kJournal, found.key);
    auto row = DecodeJournalRow(found.entry->value);
    if (!key || !row) return Error(ErrorCode::kCorruption, "a row of the secondary's journal is damaged");
    rows.push_back({found.key, *std::move(key), *std::move(row)});
  }
  return rows;
}

Status FailoverJournal::Replay(storage::Backend& primary, const std::function<bool()>& stop) {
  for (;;) {
    if (stop()) return Error(ErrorCode::kCancelled, "the service is stopping");
    HOLDFAST_ASSIGN_OR_RETURN(const std::vector<Row> rows, NextRows());
    if (rows.empty()) break;
    HOLDFAST_RETURN_IF_ERROR(ReplayRows(primary, rows));
  }
  entries_.store(0, std::memory_order_relaxed);
  return {};
}

Status FailoverJournal::ReplayRows(storage::Backend& primary, const std::vector<Row>& rows) {
  std::vector<Operation> writes;
  writes.reserve(rows.size());
  const Timestamp now = clock_.Now();
  for (const Row& row : rows) {
    // What has expired since is gone there as well, unless somebody wrote it anew.
    const bool expired = row.row.base_expires_at && *row.row.base_expires_at <= now;
    Precondition unchanged =
        row.row.base == 0 || expired ? Precondition::Absent() : Precondition::VersionIs(row.row.base);
    writes.push_back(WriteOf(row.key, row.row.entry, std::move(unchanged)));
  }
  std::vector<OperationResult> results(writes.size());
  primary.Execute(writes, results, Patience());
  for (const OperationResult& result : results) {
    if (!result.status.ok() && !WasRefused(result.status)) return result.status;
  }
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<EntryPtr> now_there, ReadThere(primary, writes, Patience()));

  storage::Transaction settled;
  std::uint64_t conflicts = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    settled.then.push_back(Operation::Delete(rows[i].row_key));
    settled.then.push_back(SecondaryCopy::WriteOf({rows[i].key, now_there[i]}));
    if (results[i].status.ok() || SameContent(now_there[i], rows[i].row.entry)) continue;
    ++conflicts;
    Version id = rows[i].row.entry ? rows[i].row.entry->version : 0;
    if (id == 0) {
      HOLDFAST_ASSIGN_OR_RETURN(id, versions_.Next(0, Patience()));
    }
    settled.then.push_back(Operation::Put(ConflictKey(rows[i].key, id), EncodeJournalRow(rows[i].row), {},
                                          Expiry::After(options_.conflict_ttl)));
  }
  HOLDFAST_RETURN_IF_ERROR(Apply(copy_.backend(), settled, Patience()));
  conflicts_.fetch_add(conflicts, std::memory_order_relaxed);
  replayed_.fetch_add(rows.size() - conflicts, std::memory_order_relaxed);
  entries_.fetch_sub(std::min<std::uint64_t>(entries(), rows.size()), std::memory_order_relaxed);
  return {};
}

Result<storage::FailoverConflicts> FailoverJournal::Conflicts(const storage::KeyRange& keys, std::size_t most,
                                                              Deadline deadline) const {
  return ReadConflicts(copy_.backend(), keys, most, deadline);
}

}  // namespace holdfast::composition
