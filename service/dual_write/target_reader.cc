#include "service/dual_write/target_reader.h"

#include <optional>

#include "service/dual_write/visible.h"
#include "service/storage/decision.h"

namespace holdfast::dual_write {

using storage::Entry;
using storage::EntryPtr;
using storage::Operation;
using storage::OperationResult;

namespace {

std::optional<Mark> MarkIn(const EntryPtr& row) {
  if (row == nullptr) return Mark{};
  return Mark::Decode(row->value);
}

EntryPtr AsInSource(const Entry& copy, const Mark& mark) {
  auto entry = std::make_shared<Entry>(copy);
  entry->version = mark.version;
  entry->created_at = mark.created_at;
  entry->updated_at = mark.updated_at;
  return entry;
}

// nullopt when the two do not belong together.
std::optional<EntryPtr> Pair(const EntryPtr& copy, const EntryPtr& row) {
  const std::optional<Mark> mark = MarkIn(row);
  if (!mark) return std::nullopt;
  if (copy == nullptr) return mark->live ? std::nullopt : std::optional<EntryPtr>(nullptr);
  if (!mark->live || mark->fingerprint != Fingerprint(*copy)) return std::nullopt;
  return AsInSource(*copy, *mark);
}

Result<EntryPtr> EntryOf(OperationResult& result) {
  if (result.status.ok()) return std::move(result.entry);
  if (result.status.error().code() == ErrorCode::kNotFound) return EntryPtr();
  return std::move(result.status).error();
}

EntryPtr WithoutValue(const Entry& entry) {
  auto bare = std::make_shared<Entry>(entry);
  bare->value.clear();
  return bare;
}

}  // namespace

Result<EntryPtr> TargetReader::ReadPair(const std::string& key, Deadline deadline) const {
  storage::Transaction both;
  both.then = {Operation::Get(key), Operation::Get(rows_.Mark(key))};
  HOLDFAST_ASSIGN_OR_RETURN(storage::TransactionResult read, target_.Transact(both, deadline));
  HOLDFAST_ASSIGN_OR_RETURN(const EntryPtr copy, EntryOf(read.results.at(0)));
  // It has expired, and its mark is still there.
  if (copy == nullptr) return EntryPtr();
  HOLDFAST_ASSIGN_OR_RETURN(const EntryPtr row, EntryOf(read.results.at(1)));
  auto pair = Pair(copy, row);
  if (pair) return std::move(*pair);
  return Error(ErrorCode::kCorruption, "an entry in the target is not what the migration wrote there: switch back");
}

void TargetReader::Read(std::span<const Operation> gets, std::span<OperationResult> results, Deadline deadline) const {
  std::vector<std::string> keys;
  keys.reserve(2 * gets.size());
  for (const Operation& get : gets) keys.push_back(get.key);
  for (const Operation& get : gets) keys.push_back(rows_.Mark(get.key));
  const auto read = ReadEntries(target_, keys, deadline);
  if (!read.ok()) return storage::FailAll(results, read.error());
  for (std::size_t i = 0; i < gets.size(); ++i) {
    if (auto pair = Pair((*read)[i], (*read)[gets.size() + i])) {
      storage::DecideGet(gets[i], std::move(*pair), results[i]);
      continue;
    }
    auto entry = ReadPair(gets[i].key, deadline);
    if (entry.ok()) {
      storage::DecideGet(gets[i], std::move(*entry), results[i]);
    } else {
      results[i] = OperationResult{};
      results[i].status = std::move(entry).error();
    }
  }
}

Result<storage::ScanPage> TargetReader::Scan(const storage::ScanRequest& request, Deadline deadline) const {
  storage::ScanRequest whole = request;
  whole.filter.reset();
  whole.keys_only = false;  // the fingerprint is also of the value
  whole.consistency = storage::Consistency::kStrong;
  HOLDFAST_ASSIGN_OR_RETURN(storage::ScanPage page, ScanVisible(target_, rows_, whole, deadline));
  std::vector<std::string> marks;
  marks.reserve(page.entries.size());
  for (const storage::KeyedEntry& item : page.entries) marks.push_back(rows_.Mark(item.key));
  HOLDFAST_ASSIGN_OR_RETURN(const auto rows, ReadEntries(target_, marks, deadline));
  storage::ScanPage shown;
  shown.complete = page.complete;
  const std::string last = page.entries.empty() ? "" : page.entries.back().key;
  for (std::size_t i = 0; i < page.entries.size(); ++i) {
    storage::KeyedEntry& item = page.entries[i];
    auto pair = Pair(item.entry, rows[i]);
    if (!pair) {
      HOLDFAST_ASSIGN_OR_RETURN(EntryPtr entry, ReadPair(item.key, deadline));
      pair = std::move(entry);
    }
    if (*pair == nullptr) continue;  // deleted meanwhile
    item.value_bytes = (*pair)->value.size();
    item.entry = request.keys_only ? WithoutValue(**pair) : std::move(*pair);
    shown.entries.push_back(std::move(item));
  }
  if (!shown.entries.empty() || shown.complete || last.empty()) return shown;
  // Everything on the page is gone; an empty page would end its caller's loop.
  whole.after = last;
  whole.keys_only = request.keys_only;
  return Scan(whole, deadline);
}

}  // namespace holdfast::dual_write
