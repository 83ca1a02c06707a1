#include "service/backends/rocksdb/writer.h"

#include <algorithm>
#include <array>
#include <memory_resource>
#include <unordered_map>
#include <utility>

#include "service/backends/rocksdb/entry_codec.h"
#include "service/backends/rocksdb/log_stamp.h"
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

// A call with more keys leaves the cache to those that are read: it is an import or a restore, and what it writes would
// drive out what is in use.
constexpr std::size_t kMostKeysForCache = 1024;

// The row the expiry index has for an entry; empty when it has none.
std::string IndexRow(const EntryPtr& entry, std::string_view key) {
  return entry && entry->expires_at ? ExpiryRow(*entry->expires_at, key) : std::string();
}

void Prefetch(const void* data, std::size_t bytes) {
  constexpr std::size_t kCacheLine = 64;
  for (std::size_t at = 0; at < bytes; at += kCacheLine) __builtin_prefetch(static_cast<const char*>(data) + at);
}

void Fail(OperationResult& result, const Status& status) {
  result = OperationResult{};
  result.status = status;
}

}  // namespace

// A key of the call in progress.
struct Writer::State {
  std::string_view key;
  EntryPtr stored;  // on disk, expired or not
  EntryPtr live;    // as the operations so far leave it; null = absent or expired
  bool changed = false;
  bool out_of_cache = false;
  Status unreadable;
};

// The distinct keys of a call, in the order they were first named. Their locks are held from Lock to the end; each key
// that was taken out of the cache is back in it before its lock is released.
class Writer::States {
 public:
  // `most`: how many keys are added at most, distinct or not.
  States(EntryCache& cache, std::size_t most, std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : cache_(cache), most_(most), by_key_(memory), keys_(memory), all_(memory) {
    keys_.reserve(most);
    all_.reserve(most);  // a State stays where it is
  }
  States(const States&) = delete;
  States& operator=(const States&) = delete;
  ~States() {
    for (State& state : all_) {
      if (state.changed && !written_) state.live = nullptr;
      const bool keep = !state.changed || all_.size() <= kMostKeysForCache;
      BackIntoCache(state, keep ? (state.changed ? std::move(state.live) : std::move(state.stored)) : nullptr);
    }
  }

  State& Add(std::string_view key) {
    if (keys_.size() == kFew && by_key_.empty()) {
      by_key_.reserve(most_);
      for (State& known : all_) by_key_.emplace(known.key, &known);
    }
    if (State* known = Known(key)) return *known;
    keys_.push_back(key);
    State& added = all_.emplace_back();
    added.key = key;
    if (!by_key_.empty()) by_key_.emplace(key, &added);
    return added;
  }
  State& Of(std::string_view key) { return *Known(key); }
  std::span<const std::string_view> keys() const { return keys_; }
  std::span<State> all() { return all_; }
  std::span<const State> all() const { return all_; }

  void Lock(KeyLocks& locks) { held_.emplace(locks.Lock(keys_)); }
  // After Lock. The processor fetches meanwhile what is not looked at before something else is done: most of what a put
  // costs here would be waiting for memory.
  void TakeFromCache() {
    for (State& state : all_) {
      state.stored = cache_.BeginWrite(state.key);
      state.out_of_cache = true;
      if (state.stored) Prefetch(state.stored.get(), sizeof(Entry));
    }
  }
  // What stays as it is need not wait for the write.
  void UnchangedIntoCache() {
    for (State& state : all_) {
      if (!state.changed) BackIntoCache(state, state.stored);
    }
  }
  void set_written() { written_ = true; }

 private:
  static constexpr std::size_t kFew = 8;  // so many are found sooner by looking at each

  State* Known(std::string_view key) {
    if (by_key_.empty()) {
      const auto found = std::find_if(all_.begin(), all_.end(), [key](const State& state) { return state.key == key; });
      return found == all_.end() ? nullptr : &*found;
    }
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : found->second;
  }
  void BackIntoCache(State& state, EntryPtr entry) {
    if (std::exchange(state.out_of_cache, false)) cache_.EndWrite(state.key, std::move(entry));
  }

  EntryCache& cache_;
  std::optional<KeyLocks::Held> held_;
  bool written_ = false;
  const std::size_t most_;
  std::pmr::unordered_map<std::string_view, State*> by_key_;  // empty while there are few
  std::pmr::vector<std::string_view> keys_;
  std::pmr::vector<State> all_;
};

void Writer::ReadMissing(States& states, Timestamp now) const {
  std::vector<State*> missing;
  for (State& state : states.all()) {
    if (!state.stored) missing.push_back(&state);
  }
  const auto take = [](State& state, StoredEntry stored) {
    state.stored = std::move(stored.entry);
    state.unreadable = std::move(stored.status);
  };
  if (missing.size() == 1) {
    take(*missing[0], reader_.ReadDatabase(missing[0]->key));
  } else if (!missing.empty()) {
    std::vector<std::string_view> keys;
    keys.reserve(missing.size());
    for (const State* state : missing) keys.push_back(state->key);
    std::vector<StoredEntry> stored = reader_.ReadDatabase(keys);
    for (std::size_t i = 0; i < missing.size(); ++i) take(*missing[i], std::move(stored[i]));
  }
  for (State& state : states.all()) {
    if (!state.stored) continue;
    if (!IsExpired(*state.stored, now)) state.live = state.stored;
    Prefetch(state.stored->value.data(), 1);
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
  const std::array<rocksdb::Slice, 3> row = {encoded.Head(), encoded.Value(*state.live), encoded.Tail()};
  batch.Put(database_.entries, rocksdb::SliceParts(&key, 1),
            rocksdb::SliceParts(row.data(), static_cast<int>(row.size())));
}

Status Writer::Commit(States& states, rocksdb::WriteBatch& batch, bool sync) {
  states.UnchangedIntoCache();
  watches_.Written(states.keys());
  // Under the locks of its keys, so that the times of a key stand in the order of its changes.
  if (stamps_) AppendStamp(clock_.Now(), &batch);
  Status written = database_.gate->Write(*database_.db, batch, sync);
  if (written.ok()) states.set_written();
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
  struct Step {
    State* state = nullptr;  // null: refused at once
    bool depends = false;    // the result tells of something not yet written
  };
  // Holds what a call with few operations needs, so that it allocates nothing for itself.
  std::array<std::byte, 1024> memory;
  std::pmr::monotonic_buffer_resource arena(memory.data(), memory.size());
  States states(cache_, operations.size(), &arena);
  std::pmr::vector<Step> steps(operations.size(), &arena);
  std::uint64_t writes = 0;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    Status status = Validate(operations[i], limits_);
    if (!status.ok()) {
      Fail(results[i], status);
      continue;
    }
    cache_.Announce(operations[i].key);
    steps[i].state = &states.Add(operations[i].key);
    if (IsWrite(operations[i].kind)) ++writes;
  }
  if (states.keys().empty()) return;

  states.Lock(locks_);
  const auto fail_valid = [&](const Status& status) {
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (steps[i].state != nullptr) Fail(results[i], status);
    }
  };
  if (deadline.Expired()) return fail_valid(TooLate());
  states.TakeFromCache();
  // Drawn under the locks: otherwise a later write of the same key could carry the lower version.
  Result<Version> first_version = writes > 0 ? versions_.Take(writes) : Result<Version>(Version{0});
  if (!first_version.ok()) return fail_valid(std::move(first_version).error());

  const Timestamp now = clock_.Now();
  ReadMissing(states, now);
  Version version = *first_version;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (steps[i].state == nullptr) continue;
    State& state = *steps[i].state;
    if (!state.unreadable.ok()) {
      Fail(results[i], state.unreadable);
      continue;
    }
    Decision decision = Decide(operations[i], state.live, version, now, results[i]);
    if (IsWrite(operations[i].kind)) ++version;
    if (decision.change != Change::kNone) {
      state.live = std::move(decision.entry);
      state.changed = true;
    }
    steps[i].depends = state.changed;
  }

  rocksdb::WriteBatch batch(BatchBytes(operations));
  for (const State& state : states.all()) Append(state, batch);
  if (batch.Count() == 0) return;
  const Status written = Commit(states, batch, sync_);
  if (written.ok()) return Tell(states, ChangeCause::kOperation);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (steps[i].depends) Fail(results[i], written);
  }
}

Result<TransactionResult> Writer::Transact(const Transaction& transaction, Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(Validate(transaction, limits_));
  States states(cache_, transaction.conditions.size() + transaction.then.size() + transaction.otherwise.size());
  for (const Condition& condition : transaction.conditions) states.Add(condition.key);
  for (const Operation& operation : transaction.then) states.Add(operation.key);
  for (const Operation& operation : transaction.otherwise) states.Add(operation.key);

  states.Lock(locks_);
  if (deadline.Expired()) return TooLate();
  const std::uint64_t most_writes = std::max(transaction.then.size(), transaction.otherwise.size());
  HOLDFAST_ASSIGN_OR_RETURN(Version version, versions_.Take(most_writes));
  const Timestamp now = clock_.Now();
  states.TakeFromCache();
  ReadMissing(states, now);

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
  States states(cache_, rows.size());
  for (const std::string& row : rows) {
    if (const std::optional<ExpiryRowParts> parts = ParseExpiryRow(row)) states.Add(parts->key);
  }
  if (states.keys().empty()) return std::uint64_t{0};
  states.Lock(locks_);
  // Read again under the locks: an entry may have been given a new life since the index was read.
  states.TakeFromCache();
  ReadMissing(states, now);
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
