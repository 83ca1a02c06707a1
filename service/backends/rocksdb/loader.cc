#include "service/backends/rocksdb/loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/log/log.h"
#include "service/backends/rocksdb/entry_codec.h"
#include "service/storage/decision.h"

namespace holdfast::storage {

// What stood under a key and what is to; of those that change.
struct Loader::Row {
  std::size_t operation = 0;
  std::string_view key;
  EntryPtr before;  // may have expired
  EntryPtr after;
};

// Of one load: the rows of its entries, and those of the expiry index.
class Loader::Files {
 public:
  Files(Database& database, const compression::Options& compression, const std::string& folder, std::uint64_t number)
      : compression_(compression),
        entries_(database, database.entries, fmt::format("{}/{}-entries.sst", folder, number)),
        expiry_(database, database.expiry, fmt::format("{}/{}-expiry.sst", folder, number)) {}

  // In the order of their keys.
  rocksdb::Status Add(const Row& row) {
    std::string before = IndexRow(row.key, row.before);
    std::string after = IndexRow(row.key, row.after);
    if (before != after) {
      if (!before.empty()) index_.emplace_back(std::move(before), false);
      if (!after.empty()) index_.emplace_back(std::move(after), true);
    }
    if (!row.after) return row.before ? entries_.Delete(row.key) : rocksdb::Status::OK();
    const EncodedEntry encoded = EncodeEntry(row.key, *row.after, compression_);
    const std::string_view value = encoded.Value(*row.after);
    if (encoded.compressed) {
      value_bytes_ += row.after->value.size();
      compressed_bytes_ += value.size();
    }
    bytes_.assign(encoded.Head()).append(value).append(encoded.Tail());
    return entries_.Put(row.key, bytes_);
  }
  rocksdb::Status Finish() {
    std::sort(index_.begin(), index_.end());
    for (const auto& [row, stays] : index_) {
      rocksdb::Status added = stays ? expiry_.Put(row, {}) : expiry_.Delete(row);
      if (!added.ok()) return added;
    }
    rocksdb::Status finished = entries_.Finish();
    return finished.ok() ? expiry_.Finish() : finished;
  }

  std::vector<rocksdb::IngestExternalFileArg> Arguments() const {
    std::vector<rocksdb::IngestExternalFileArg> arguments;
    if (!entries_.empty()) arguments.push_back(entries_.Argument());
    if (!expiry_.empty()) arguments.push_back(expiry_.Argument());
    return arguments;
  }
  // Rows of the index and whether each stays; sorted by Finish.
  const std::vector<std::pair<std::string, bool>>& index() const { return index_; }
  // Of the values that were compressed.
  std::uint64_t value_bytes() const { return value_bytes_; }
  std::uint64_t compressed_bytes() const { return compressed_bytes_; }

 private:
  static std::string IndexRow(std::string_view key, const EntryPtr& entry) {
    return entry && entry->expires_at ? ExpiryRow(*entry->expires_at, key) : std::string();
  }

  const compression::Options& compression_;
  TableFile entries_;
  TableFile expiry_;
  std::vector<std::pair<std::string, bool>> index_;
  std::string bytes_;  // of the row that is being added
  std::uint64_t value_bytes_ = 0;
  std::uint64_t compressed_bytes_ = 0;
};

bool Loader::Pays(std::span<const Operation> operations) const {
  if (!enabled() || operations.size() < kLeastLoadOperations) return false;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const Operation& operation = operations[i];
    if (!IsWrite(operation.kind) || !Validate(operation, options_.limits).ok()) return false;
    if (i > 0 && operation.key <= operations[i - 1].key) return false;
  }
  return true;
}

std::optional<std::vector<Loader::Row>> Loader::Make(std::span<const Operation> operations,
                                                     std::span<OperationResult> results, Files* files) const {
  Result<Version> version = versions_.Take(operations.size());
  if (!version.ok()) return std::nullopt;
  const Timestamp now = clock_.Now();
  std::vector<std::string_view> keys;
  keys.reserve(operations.size());
  for (const Operation& operation : operations) keys.emplace_back(operation.key);
  std::vector<StoredEntry> stored = reader_.ReadDatabase(keys);
  const bool told = writer_.listener() != nullptr;
  std::vector<Row> rows;
  rows.reserve(operations.size());
  rocksdb::Status made;
  for (std::size_t i = 0; i < operations.size() && made.ok(); ++i) {
    if (!stored[i].status.ok()) return std::nullopt;
    EntryPtr before = std::move(stored[i].entry);
    const bool live = before && !IsExpired(*before, now);
    Decision decision = Decide(operations[i], live ? before : nullptr, (*version)++, now, results[i]);
    if (decision.change == Change::kNone) continue;
    Row& row = rows.emplace_back(Row{i, keys[i], std::move(before), std::move(decision.entry)});
    made = files->Add(row);
    // What nobody hears of is not kept.
    if (!told) row.before = row.after = nullptr;
  }
  if (made.ok()) made = files->Finish();
  if (made.ok()) return rows;
  log::Warn("entries cannot be loaded and are written through the log", {{"error", made.ToString()}});
  return std::nullopt;
}

void Loader::FlushBetween(rocksdb::ColumnFamilyHandle* family, std::string_view first, std::string_view last) const {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  const std::string end = std::string(last) + '\0';
  database_.db->GetApproximateMemTableStats(family, rocksdb::Range(first, end), &count, &bytes);
  if (count == 0) return;
  rocksdb::FlushOptions options;
  options.allow_write_stall = false;
  // Otherwise it is flushed later, or what is wrong is told then.
  database_.db->Flush(options, family).PermitUncheckedError();
}

Status Loader::SayInLog() {
  std::lock_guard lock(log_mutex_);
  if (said_in_log_) return {};
  rocksdb::WriteBatch batch;
  batch.Put(database_.holdfast, kLoadedRow, rocksdb::Slice());
  // Synced whatever the durability: what is loaded is on the disk as well.
  HOLDFAST_RETURN_IF_ERROR(database_.gate->Write(*database_.db, batch, /*sync=*/true));
  const rocksdb::Status made = database_.env->CreateDirIfMissing(LoadingFolder(options_.path));
  if (!made.ok()) return Error(ErrorCode::kUnavailable, made.ToString());
  said_in_log_ = true;
  return {};
}

bool Loader::IsBehind() const {
  std::string files;
  if (!database_.db->GetProperty(database_.entries, "rocksdb.num-files-at-level0", &files)) return false;
  return std::atoi(files.c_str()) >= kMostNewFiles;
}

bool Loader::Load(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) {
  if (!Pays(operations) || IsBehind() || deadline.Expired() || !SayInLog().ok()) return false;
  const WriteWatches::Watch watch(writer_.watches(), writer_.locks(), operations.front().key, operations.back().key);
  Files files(database_, options_.compression, LoadingFolder(options_.path), next_file_.fetch_add(1));
  const std::optional<std::vector<Row>> rows = Make(operations, results, &files);
  if (!rows || deadline.Expired()) return false;
  const std::vector<rocksdb::IngestExternalFileArg> arguments = files.Arguments();
  if (arguments.empty()) return true;
  FlushBetween(database_.entries, rows->front().key, rows->back().key);
  if (!files.index().empty()) {
    FlushBetween(database_.expiry, files.index().front().first, files.index().back().first);
  }

  const KeyLocks::Held held = writer_.locks().LockAll();
  if (watch.written()) return false;
  writer_.watches().Written(watch);
  for (const Row& row : *rows) cache_.BeginWrite(row.key);
  const Status taken = database_.gate->Ingest(*database_.db, arguments);
  for (const Row& row : *rows) cache_.EndWrite(row.key, nullptr);
  if (taken.ok()) {
    value_bytes_.fetch_add(files.value_bytes(), std::memory_order_relaxed);
    compressed_bytes_.fetch_add(files.compressed_bytes(), std::memory_order_relaxed);
    Tell(*rows);
    return true;
  }
  if (taken.error().code() != ErrorCode::kOutcomeUnknown) {
    log::Warn("entries cannot be loaded and are written through the log", {{"error", taken.error().message()}});
    return false;
  }
  for (const Row& row : *rows) {
    results[row.operation] = OperationResult{};
    results[row.operation].status = taken;
  }
  return true;
}

void Loader::Tell(std::span<const Row> rows) const {
  ChangeListener* const listener = writer_.listener();
  if (listener == nullptr) return;
  for (const Row& row : rows) {
    if (row.before || row.after) listener->OnChange(row.key, row.before, row.after, ChangeCause::kOperation);
  }
}

}  // namespace holdfast::storage
