#include "service/backends/rocksdb/writer.h"

#include <algorithm>
#include <array>

#include "service/backends/rocksdb/entry_codec.h"
#include "service/backends/rocksdb/rocksdb_error.h"
#include "service/storage/decision.h"

namespace holdfast::storage {
namespace {

constexpr std::size_t kRowsPerSweep = 1024;

Error TooLate() {
  return {ErrorCode::kDeadlineExceeded, "the deadline passed before anything was written"};
}

// What the rows of a call take in its batch, so that it grows once.
std::size_t BatchBytes(std::span<const Operation> operations) {
  constexpr std::size_t kRowBytes = 96;  // the head of the row, its checksum, the batch's own lengths
  std::size_t bytes = kRowBytes;
  for (const Operation& operation : operations) {
    bytes += kRowBytes + operation.key.size() + operation.value.size() + operation.content_type.size() +
             operation.metadata.size();
  }
  return bytes;
}

// The row the expiry index has for an entry; empty when it has none.
std::string IndexRow(const EntryPtr& entry, std::string_view key) {
  return entry && entry->expires_at ? ExpiryRow(*entry->expires_at, key) : std::string();
}

void Fail(OperationResult& result, const Status& status) {
  result = OperationResult{};
  result.status = status;
}

}  // namespace

// The distinct keys of a call, in the order they were first named.
class Writer::States {
 public:
  void Add(std::string_view key) {
    if (keys_.size() < kFew) {
      if (std::find(keys_.begin(), keys_.end(), key) == keys_.end()) keys_.push_back(key);
      return;
    }
    if (by_key_.empty()) {
      for (const std::string_view known : keys_) by_key_.emplace(known, by_key_.size());
    }
    if (by_key_.try_emplace(key, keys_.size()).second) keys_.push_back(key);
  }
  std::span<const std::string_view> keys() const { return keys_; }
  std::vector<State>& all() { return all_; }
  const std::vector<State>& all() const { return all_; }
  State& Of(std::string_view key) {
    const auto index = by_key_.empty() ? std::find(keys_.begin(), keys_.end(), key) - keys_.begin()
                                       : static_cast<std::ptrdiff_t>(by_key_.at(key));
    return all_[static_cast<std::size_t>(index)];
  }

 private:
  static constexpr std::size_t kFew = 8;  // so many are found sooner by looking at each

  std::unordered_map<std::string_view, std::size_t> by_key_;  // empty while there are few
  std::vector<std::string_view> keys_;
  std::vector<State> all_;
};

void Writer::Prepare(States& states, Timestamp now) const {
  std::vector<StoredEntry> stored = reader_.Read(states.keys());
  states.all().reserve(stored.size());
  for (std::size_t i = 0; i < stored.size(); ++i) {
    State state;
    state.key = states.keys()[i];
    state.unreadable = std::move(stored[i].status);
    if (stored[i].entry && !IsExpired(*stored[i].entry, now)) state.live = stored[i].entry;
    state.stored = std::move(stored[i].entry);
    states.all().push_back(std::move(state));
  }
}

void Writer::Append(const State& state, rocksdb::WriteBatch& batch) const {
  if (!state.changed) return;
  const std::string before = IndexRow(state.stored, state.key);
  const std::string after = IndexRow(state.live, state.key);
  if (before != after) {
    if (!before.empty()) batch.Delete(database_.expiry, before);
    if (!after.empty()) batch.Put(database_.expiry, after, rocksdb::Slice());
  }
  if (!state.live) {
    if (state.stored) batch.Delete(database_.entries, state.key);
    return;
  }
  const EncodedEntry encoded = EncodeEntry(state.key, *state.live, compression_);
  if (encoded.compressed) {
    value_bytes_.fetch_add(state.live->value.size(), std::memory_order_relaxed);
    compressed_bytes_.fetch_add(encoded.compressed->size(), std::memory_order_relaxed);
  }
  const rocksdb::Slice key(state.key);
  const std::array<rocksdb::Slice, 3> row = {encoded.head, encoded.Value(*state.live), encoded.tail};
  batch.Put(database_.entries, rocksdb::SliceParts(&key, 1),
            rocksdb::SliceParts(row.data(), static_cast<int>(row.size())));
}

Status Writer::Commit(const States& states, rocksdb::WriteBatch& batch, bool sync) {
  for (const State& state : states.all()) {
    if (state.changed) cache_.BeginWrite(state.key);
  }
  Status written = database_.gate->Write(*database_.db, batch, sync);
  for (const State& state : states.all()) {
    if (state.changed) cache_.EndWrite(state.key, written.ok() ? state.live : nullptr);
  }
  return written;
}

void Writer::SetChangeListener(std::shared_ptr<ChangeListener> listener) {
  std::lock_guard sweep(sweep_mutex_);
  listener_ = std::move(listener);
}

void Writer::Tell(const States& states, ChangeCause cause) const {
  if (!listener_) return;
  for (const State& state : states.all()) {
    if (state.changed && (state.stored || state.live)) {
      listener_->OnChange(state.key, state.stored, state.live, cause);
    }
  }
}

void Writer::Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) {
  States states;
  std::vector<bool> valid(operations.size());
  std::uint64_t writes = 0;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    Status status = Validate(operations[i], limits_);
    valid[i] = status.ok();
    if (!valid[i]) {
      Fail(results[i], status);
      continue;
    }
    states.Add(operations[i].key);
    if (IsWrite(operations[i].kind)) ++writes;
  }
  if (states.keys().empty()) return;

  const KeyLocks::Held held = locks_.Lock(states.keys());
  const auto fail_valid = [&](const Status& status) {
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (valid[i]) Fail(results[i], status);
    }
  };
  if (deadline.Expired()) return fail_valid(TooLate());
  // Drawn under the locks: otherwise a later write of the same key could carry the lower version.
  Result<Version> first_version = writes > 0 ? versions_.Take(writes) : Result<Version>(Version{0});
  if (!first_version.ok()) return fail_valid(std::move(first_version).error());

  const Timestamp now = clock_.Now();
  Prepare(states, now);
  Version version = *first_version;
  std::vector<bool> depends(operations.size());  // the result tells of something not yet written
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (!valid[i]) continue;
    State& state = states.Of(operations[i].key);
    if (!state.unreadable.ok()) {
      Fail(results[i], state.unreadable);
      continue;
    }
    const Decision decision = Decide(operations[i], state.live, version, now, results[i]);
    if (IsWrite(operations[i].kind)) ++version;
    if (decision.change != Change::kNone) {
      state.live = decision.entry;
      state.changed = true;
    }
    depends[i] = state.changed;
  }

  rocksdb::WriteBatch batch(BatchBytes(operations));
  for (const State& state : states.all()) Append(state, batch);
  if (batch.Count() == 0) return;
  const Status written = Commit(states, batch, sync_);
  if (written.ok()) return Tell(states, ChangeCause::kOperation);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (depends[i]) Fail(results[i], written);
  }
}

Result<TransactionResult> Writer::Transact(const Transaction& transaction, Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(Validate(transaction, limits_));
  States states;
  for (const Condition& condition : transaction.conditions) states.Add(condition.key);
  for (const Operation& operation : transaction.then) states.Add(operation.key);
  for (const Operation& operation : transaction.otherwise) states.Add(operation.key);

  const KeyLocks::Held held = locks_.Lock(states.keys());
  if (deadline.Expired()) return TooLate();
  const std::uint64_t most_writes = std::max(transaction.then.size(), transaction.otherwise.size());
  HOLDFAST_ASSIGN_OR_RETURN(Version version, versions_.Take(most_writes));
  const Timestamp now = clock_.Now();
  if (!states.keys().empty()) Prepare(states, now);

  HOLDFAST_ASSIGN_OR_RETURN(TransactionDecision decision, DecideTransaction(
                                                              transaction,
                                                              [&](const std::string& key) -> Result<EntryPtr> {
                                                                State& state = states.Of(key);
                                                                if (!state.unreadable.ok())
                                                                  return state.unreadable.error();
                                                                return state.live;
                                                              },
                                                              [&version] { return version++; }, now));
  rocksdb::WriteBatch batch;
  for (auto& [key, entry] : decision.changes) {
    State& state = states.Of(key);
    state.live = std::move(entry);
    state.changed = true;
    Append(state, batch);
  }
  if (batch.Count() > 0) HOLDFAST_RETURN_IF_ERROR(Commit(states, batch, sync_));
  Tell(states, ChangeCause::kOperation);
  return std::move(decision.result);
}

Result<std::uint64_t> Writer::Sweep(Timestamp now) {
  // An operation computes its expiry some time before its row appears; none takes longer than this.
  constexpr std::chrono::minutes kLateRows{10};
  std::lock_guard sweep(sweep_mutex_);
  std::string from;
  // After the clock was set back, rows may have come in anywhere.
  if (swept_until_ && *swept_until_ <= now) from = ExpiryBound(*swept_until_ - kLateRows);

  const std::string end = ExpiryBound(now + std::chrono::microseconds{1});
  const rocksdb::Slice upper(end);
  std::uint64_t removed = 0;
  for (bool more = true; more;) {
    std::vector<std::string> rows;
    {
      // A fresh view every time: an old one would keep RocksDB from dropping what is deleted here.
      rocksdb::ReadOptions options;
      options.iterate_upper_bound = &upper;
      const std::unique_ptr<rocksdb::Iterator> index(database_.db->NewIterator(options, database_.expiry));
      for (index->Seek(from); index->Valid() && rows.size() < kRowsPerSweep; index->Next()) {
        rows.push_back(index->key().ToString());
      }
      if (!index->status().ok()) return ReadError(index->status());
    }
    if (rows.empty()) break;
    more = rows.size() == kRowsPerSweep;
    from = rows.back() + '\0';
    HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t some, SweepRows(rows, now));
    removed += some;
  }
  swept_until_ = now;
  database_.swept_until->store(now.time_since_epoch().count(), std::memory_order_release);
  return removed;
}

Result<std::uint64_t> Writer::SweepRows(const std::vector<std::string>& rows, Timestamp now) {
  States states;
  for (const std::string& row : rows) {
    if (const std::optional<ExpiryRowParts> parts = ParseExpiryRow(row)) states.Add(parts->key);
  }
  if (states.keys().empty()) return std::uint64_t{0};
  const KeyLocks::Held held = locks_.Lock(states.keys());
  // Read again under the locks: an entry may have been given a new life since the index was read.
  Prepare(states, now);
  rocksdb::WriteBatch batch;
  std::uint64_t removed = 0;
  for (State& state : states.all()) {
    if (!state.unreadable.ok() || !state.stored || state.live) continue;
    state.changed = true;
    Append(state, batch);
    ++removed;
  }
  for (const std::string& row : rows) {
    const std::optional<ExpiryRowParts> parts = ParseExpiryRow(row);
    if (!parts) continue;
    const State& state = states.Of(parts->key);
    // The row of an entry that lives on stays; so does that of an unreadable one, whose damage readers must hear of.
    const bool current = state.live && state.live->expires_at == parts->expires_at;
    if (!current && state.unreadable.ok()) batch.Delete(database_.expiry, row);
  }
  if (batch.Count() > 0) HOLDFAST_RETURN_IF_ERROR(Commit(states, batch, /*sync=*/false));
  Tell(states, ChangeCause::kExpired);
  return removed;
}

Status Writer::WriteHealthRow() {
  rocksdb::WriteBatch batch;
  batch.Put(database_.holdfast, kHealthRow,
            EncodeNumber(static_cast<std::uint64_t>(clock_.Now().time_since_epoch().count())));
  return database_.gate->Write(*database_.db, batch, sync_);
}

}  // namespace holdfast::storage
