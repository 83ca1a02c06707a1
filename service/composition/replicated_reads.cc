// Reading a replicated store.
#include <algorithm>
#include <set>

#include "service/composition/failover_rows.h"
#include "service/composition/replicated_backend.h"
#include "service/storage/decision.h"

namespace holdfast::composition {

using storage::EntryPtr;
using storage::Operation;
using storage::OperationResult;

namespace {

storage::Version VersionOf(const EntryPtr& entry) {
  return entry ? entry->version : 0;
}

}  // namespace

Result<ReplicatedBackend::Rows> ReplicatedBackend::ReadRows(std::size_t replica, Keys keys, const Deadline& deadline) {
  std::vector<Operation> gets;
  gets.reserve(keys.size());
  for (const std::string& key : keys) gets.push_back(Operation::Get(key));
  std::vector<OperationResult> results(gets.size());
  group_.rows(replica).Get(gets, results, Bounded(deadline));
  Rows rows(keys.size());
  const Timestamp now = clock_.Now();
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].status.ok()) {
      // Two that are asked one behind the other do not see it expire at once.
      if (!storage::IsExpired(*results[i].entry, now)) rows[i].entry = std::move(results[i].entry);
      continue;
    }
    const ErrorCode code = results[i].status.error().code();
    rows[i].damaged = code == ErrorCode::kCorruption;
    if (code != ErrorCode::kNotFound && !rows[i].damaged) return results[i].status.error();
  }
  return rows;
}

Result<ReplicatedBackend::Entries> ReplicatedBackend::Read(Keys keys, Held held, const Deadline& deadline) {
  if (keys.empty()) return Entries{};
  while (true) {
    HOLDFAST_RETURN_IF_ERROR(group_.AwaitSettled(deadline));
    HOLDFAST_ASSIGN_OR_RETURN(const std::vector<std::size_t> readers,
                              group_.Readers(options_.eventual ? 1 : options_.read_quorum, deadline));
    std::vector<Rows> read;
    for (std::size_t i = 0; i < readers.size() && (read.empty() || read.size() < options_.read_quorum); ++i) {
      auto rows = ReadRows(readers[i], keys, deadline);
      if (!rows.ok()) {
        if (deadline.Expired()) return std::move(rows).error();
        group_.Suspect(readers[i], rows.error());
        break;
      }
      if (i == 0) HOLDFAST_RETURN_IF_ERROR(group_.AwaitShown(readers[0], deadline));
      read.push_back(*std::move(rows));
    }
    if (read.empty() || (!options_.eventual && read.size() < options_.read_quorum)) continue;
    bool same = true;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      for (const Rows& rows : read) {
        same = same && !rows[i].damaged && VersionOf(rows[i].entry) == VersionOf(read[0][i].entry);
      }
    }
    if (same) {
      Entries entries;
      for (Row& row : read[0]) entries.push_back(std::move(row.entry));
      return entries;
    }
    if (held == Held::kNo) {
      // Somebody may be writing them; under their locks nobody is.
      const auto locked = Lock(keys);
      return Read(keys, Held::kYes, deadline);
    }
    HOLDFAST_RETURN_IF_ERROR(Repair(keys, {}, deadline));
  }
}

// Replicas that lag catch up by themselves; of what they have the newest is taken.
Result<ReplicatedBackend::Entries> ReplicatedBackend::ReadEarlier(std::span<const Operation> gets,
                                                                  const Deadline& deadline) {
  std::set<std::string> named;
  storage::Version least = 0;
  for (const Operation& get : gets) {
    named.insert(get.key);
    least = std::max(least, get.min_version);
  }
  const std::vector<std::string> keys(named.begin(), named.end());
  Entries newest(keys.size());
  std::size_t asked = 0;
  const std::size_t first = turn_.fetch_add(1, std::memory_order_relaxed);
  const storage::ReplicationStatus now = group_.status();
  for (std::size_t i = 0; i < group_.size() && asked < options_.read_quorum; ++i) {
    const std::size_t replica = (first + i) % group_.size();
    if (now.replicas[replica].standing != "up") continue;
    auto rows = ReadRows(replica, keys, deadline);
    if (!rows.ok()) {
      group_.Suspect(replica, rows.error());
      continue;
    }
    ++asked;
    for (std::size_t k = 0; k < keys.size(); ++k) {
      if (VersionOf((*rows)[k].entry) > VersionOf(newest[k])) newest[k] = std::move((*rows)[k].entry);
    }
  }
  const bool old = least > 0 && std::any_of(newest.begin(), newest.end(),
                                            [&](const EntryPtr& entry) { return VersionOf(entry) < least; });
  // The leader has every version that was told.
  if (asked < options_.read_quorum || old) return Read(keys, Held::kNo, deadline);
  return newest;
}

template <typename Ask>
auto ReplicatedBackend::AskLeader(const Ask& ask, const Deadline& deadline)
    -> decltype(ask(std::declval<const SecondaryCopy&>(), deadline)) {
  while (true) {
    HOLDFAST_RETURN_IF_ERROR(group_.AwaitSettled(deadline));
    HOLDFAST_ASSIGN_OR_RETURN(const std::vector<std::size_t> readers,
                              group_.Readers(options_.eventual ? 1 : options_.read_quorum, deadline));
    auto answer = ask(group_.rows(readers.front()), deadline);
    if (answer.ok()) {
      HOLDFAST_RETURN_IF_ERROR(group_.AwaitShown(readers.front(), deadline));
      return answer;
    }
    const ErrorCode code = answer.error().code();
    const bool gone = code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded;
    if (!gone || deadline.Expired()) return answer;
    group_.Suspect(readers.front(), answer.error());
  }
}

Result<storage::ScanPage> ReplicatedBackend::Page(const storage::ScanRequest& request, const Deadline& deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(
      storage::ScanPage page,
      AskLeader([&](const SecondaryCopy& rows, const Deadline& until) { return rows.Scan(request, Bounded(until)); },
                deadline));
  // The replica has limits of its own, for rows with more beside their value.
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < page.entries.size(); ++i) {
    const storage::KeyedEntry& entry = page.entries[i];
    bytes += entry.key.size() + (request.keys_only ? 0 : entry.value_bytes);
    if (i == 0 || (bytes <= limits_.max_scan_bytes && i < limits_.max_scan_entries)) continue;
    page.entries.resize(i);
    page.complete = false;
  }
  return page;
}

Result<storage::ScanPage> ReplicatedBackend::Scan(const storage::ScanRequest& request, Deadline deadline) {
  const storage::CallGate::Call call(gate_, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return Page(request, deadline);
}

Result<std::uint64_t> ReplicatedBackend::Count(const storage::KeyRange& range, Deadline deadline) {
  const storage::CallGate::Call call(gate_, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return AskLeader([&](const SecondaryCopy& rows, const Deadline& until) { return rows.Count(range, until); },
                   deadline);
}

Result<storage::FailoverConflicts> ReplicatedBackend::Conflicts(const storage::KeyRange& keys, std::size_t most,
                                                                Deadline deadline) {
  const storage::CallGate::Call call(gate_, deadline);
  HOLDFAST_RETURN_IF_ERROR(call.status());
  return AskLeader([&](const SecondaryCopy& rows,
                       const Deadline& until) { return ReadConflicts(rows.backend(), keys, most, until); },
                   deadline);
}

}  // namespace holdfast::composition
