#include "service/backends/rocksdb/reader.h"

#include <algorithm>

#include "service/backends/rocksdb/entry_codec.h"
#include "service/backends/rocksdb/key_space_prefix.h"
#include "service/backends/rocksdb/rocksdb_error.h"
#include "service/storage/decision.h"

namespace holdfast::storage {
namespace {

// How many rows are walked between two looks at the deadline.
constexpr std::size_t kRowsPerCheck = 256;
// Keys per MultiGet; each pins a block of the cache until its value is copied.
constexpr std::size_t kKeysPerRead = 512;

// From so many rising keys on they are read by a walk, which costs a step where a look-up costs a search, as long as it
// takes no more than so many steps for each.
constexpr std::size_t kKeysPerWalk = 512;
constexpr std::size_t kStepsPerKey = 8;

StoredEntry Decoded(std::string_view key, std::string_view row) {
  Result<DecodedEntry> decoded = DecodeEntry(key, row);
  if (!decoded.ok()) return {nullptr, std::move(decoded).error()};
  return {std::move(decoded->entry), {}};
}

StoredEntry Stored(std::string_view key, const rocksdb::Status& status, const rocksdb::PinnableSlice& row) {
  if (status.IsNotFound()) return {};
  if (!status.ok()) return {nullptr, ReadError(status)};
  return Decoded(key, row.ToStringView());
}

// A walk over the entries of a range, with the bounds it points to.
class Rows {
 public:
  Rows(Database& database, const KeyRange& range, bool descending, bool fill_cache,
       const rocksdb::Snapshot* snapshot = nullptr)
      : range_(range), descending_(descending) {
    lower_ = range_.start;
    options_.iterate_lower_bound = &lower_;
    if (range_.end) {
      upper_ = *range_.end;
      options_.iterate_upper_bound = &upper_;
    }
    options_.fill_cache = fill_cache;
    options_.snapshot = snapshot;
    // Backwards RocksDB has to find the end first, which no filter of prefixes helps with.
    options_.prefix_same_as_start = !descending_ && LiesInOneSpace(range_);
    options_.total_order_seek = !options_.prefix_same_as_start;
    if (range_.end && *range_.end <= range_.start) return;
    iterator_.reset(database.db->NewIterator(options_, database.entries));
    if (descending_) {
      iterator_->SeekToLast();
    } else {
      iterator_->Seek(lower_);
    }
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  bool Valid() const { return iterator_ && iterator_->Valid(); }
  void Next() {
    if (descending_) {
      iterator_->Prev();
    } else {
      iterator_->Next();
    }
  }
  std::string_view key() const { return iterator_->key().ToStringView(); }
  std::string_view row() const { return iterator_->value().ToStringView(); }
  // To be asked when Valid has become false: the end and damage look alike.
  Status status() const {
    if (!iterator_ || iterator_->status().ok()) return {};
    return ReadError(iterator_->status());
  }

 private:
  const KeyRange range_;
  const bool descending_;
  rocksdb::Slice lower_;
  rocksdb::Slice upper_;
  rocksdb::ReadOptions options_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

// The part of the range that lies behind `after`.
KeyRange Behind(KeyRange range, const std::optional<std::string>& after, bool descending) {
  if (!after) return range;
  if (descending) {
    range.end = range.end ? std::min(*range.end, *after) : *after;
  } else {
    range.start = std::max(range.start, *after + '\0');  // the key next to it
  }
  return range;
}

Status CheckDeadline(Deadline deadline, std::size_t rows) {
  if (rows % kRowsPerCheck != 0 || !deadline.Expired()) return {};
  return Error(ErrorCode::kDeadlineExceeded, "the deadline passed while reading the range");
}

}  // namespace

StoredEntry Reader::Read(std::string_view key) const {
  EntryCache::Found found = cache_.Find(key);
  if (found.entry) return {std::move(found.entry), {}};
  StoredEntry stored = ReadDatabase(key);
  cache_.Fill(key, stored.entry, found.ticket);
  return stored;
}

StoredEntry Reader::ReadDatabase(std::string_view key) const {
  rocksdb::PinnableSlice row;
  const rocksdb::Status status = database_.db->Get(rocksdb::ReadOptions(), database_.entries, key, &row);
  return Stored(key, status, row);
}

std::vector<StoredEntry> Reader::Read(std::span<const std::string_view> keys) const {
  std::vector<StoredEntry> stored(keys.size());
  std::vector<std::size_t> missing;
  std::vector<std::string_view> missing_keys;
  std::vector<EntryCache::Ticket> tickets;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EntryCache::Found found = cache_.Find(keys[i]);
    if (found.entry) {
      stored[i].entry = std::move(found.entry);
      continue;
    }
    missing.push_back(i);
    missing_keys.push_back(keys[i]);
    tickets.push_back(found.ticket);
  }
  std::vector<StoredEntry> read = ReadDatabase(missing_keys);
  for (std::size_t i = 0; i < read.size(); ++i) {
    cache_.Fill(missing_keys[i], read[i].entry, tickets[i]);
    stored[missing[i]] = std::move(read[i]);
  }
  return stored;
}

std::optional<std::vector<StoredEntry>> Reader::ReadInOrder(std::span<const std::string_view> keys) const {
  if (keys.size() < kKeysPerWalk || !std::is_sorted(keys.begin(), keys.end())) return std::nullopt;
  const std::string end = std::string(keys.back()) + '\0';  // the key next to it
  const rocksdb::Slice upper(end);
  const std::size_t most_steps = keys.size() * kStepsPerKey;
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &upper;
  options.total_order_seek = true;
  options.fill_cache = false;
  // Rows that were deleted are steps as well; beyond so many in a row the walk ends as incomplete.
  options.max_skippable_internal_keys = most_steps;
  const std::unique_ptr<rocksdb::Iterator> row(database_.db->NewIterator(options, database_.entries));
  std::vector<StoredEntry> stored(keys.size());
  row->Seek(keys.front());
  std::size_t steps = 0;
  for (std::size_t i = 0; i < keys.size() && row->Valid(); ++i) {
    for (; row->Valid() && row->key().ToStringView() < keys[i]; row->Next()) {
      if (++steps > most_steps) return std::nullopt;
    }
    if (row->Valid() && row->key().ToStringView() == keys[i]) stored[i] = Decoded(keys[i], row->value().ToStringView());
  }
  if (!row->status().ok()) return std::nullopt;
  return stored;
}

std::vector<StoredEntry> Reader::ReadDatabase(std::span<const std::string_view> keys) const {
  if (std::optional<std::vector<StoredEntry>> in_order = ReadInOrder(keys)) return *std::move(in_order);
  std::vector<StoredEntry> stored;
  stored.reserve(keys.size());
  while (stored.size() < keys.size()) {
    const std::span<const std::string_view> some =
        keys.subspan(stored.size()).first(std::min(kKeysPerRead, keys.size() - stored.size()));
    const std::vector<rocksdb::Slice> slices(some.begin(), some.end());
    std::vector<rocksdb::PinnableSlice> rows(some.size());
    std::vector<rocksdb::Status> statuses(some.size());
    database_.db->MultiGet(rocksdb::ReadOptions(), database_.entries, some.size(), slices.data(), rows.data(),
                           statuses.data());
    for (std::size_t i = 0; i < some.size(); ++i) stored.push_back(Stored(some[i], statuses[i], rows[i]));
  }
  return stored;
}

Result<ScanPage> Reader::Scan(const ScanRequest& request, Deadline deadline) const {
  return ReadPage(request, nullptr, deadline);
}

Result<ScanPage> Reader::ScanSnapshot(const ScanRequest& request, const rocksdb::Snapshot* snapshot,
                                      Deadline deadline) const {
  return ReadPage(request, snapshot, deadline);
}

Result<ScanPage> Reader::ReadPage(const ScanRequest& request, const rocksdb::Snapshot* snapshot,
                                  Deadline deadline) const {
  HOLDFAST_RETURN_IF_ERROR(Validate(request));
  const std::size_t limit = std::min(request.limit, limits_.max_scan_entries);
  const Decode what = request.keys_only ? Decode::kWithoutValue : Decode::kAll;
  const Timestamp now = clock_.Now();
  ScanPage page;
  std::size_t bytes = 0;
  Rows rows(database_, Behind(request.range, request.after, request.descending), request.descending,
            /*fill_cache=*/snapshot == nullptr, snapshot);
  for (std::size_t walked = 0; rows.Valid(); rows.Next(), ++walked) {
    HOLDFAST_RETURN_IF_ERROR(CheckDeadline(deadline, walked));
    HOLDFAST_ASSIGN_OR_RETURN(DecodedEntry decoded, DecodeEntry(rows.key(), rows.row(), what));
    if (IsExpired(*decoded.entry, now)) continue;
    const std::size_t size = rows.key().size() + (request.keys_only ? 0 : decoded.value_bytes);
    // Only here it is known that another entry follows, so a page that ends with the range says complete.
    const bool full = page.entries.size() == limit || bytes + size > limits_.max_scan_bytes;
    if (full && !page.entries.empty()) return page;
    bytes += size;
    page.entries.push_back({std::string(rows.key()), std::move(decoded.entry), decoded.value_bytes});
  }
  HOLDFAST_RETURN_IF_ERROR(rows.status());
  page.complete = true;
  return page;
}

Result<std::uint64_t> Reader::Count(const KeyRange& range, Deadline deadline) const {
  const Timestamp now = clock_.Now();
  std::uint64_t count = 0;
  Rows rows(database_, range, false, false);
  for (std::size_t walked = 0; rows.Valid(); rows.Next(), ++walked) {
    HOLDFAST_RETURN_IF_ERROR(CheckDeadline(deadline, walked));
    HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Timestamp> expires_at, DecodeExpiry(rows.row()));
    if (!expires_at || *expires_at > now) ++count;
  }
  HOLDFAST_RETURN_IF_ERROR(rows.status());
  return count;
}

Result<std::vector<std::string>> Reader::LiveKeys(const KeyRange& range, const std::optional<std::string>& after,
                                                  std::size_t most, Deadline deadline) const {
  const Timestamp now = clock_.Now();
  std::vector<std::string> keys;
  Rows rows(database_, Behind(range, after, false), false, false);
  for (std::size_t walked = 0; rows.Valid() && keys.size() < most; rows.Next(), ++walked) {
    HOLDFAST_RETURN_IF_ERROR(CheckDeadline(deadline, walked));
    HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Timestamp> expires_at, DecodeExpiry(rows.row()));
    if (!expires_at || *expires_at > now) keys.emplace_back(rows.key());
  }
  HOLDFAST_RETURN_IF_ERROR(rows.status());
  return keys;
}

}  // namespace holdfast::storage
