#include "service/backends/rocksdb/version_source.h"

#include <algorithm>

#include "service/backends/rocksdb/entry_codec.h"
#include "service/backends/rocksdb/rocksdb_error.h"

namespace holdfast::storage {

Result<std::unique_ptr<VersionSource>> VersionSource::Open(Database& database, Timestamp now) {
  Version next = static_cast<Version>(std::max<std::int64_t>(now.time_since_epoch().count(), 1)) * 1000;
  std::string row;
  const rocksdb::Status status = database.db->Get(rocksdb::ReadOptions(), database.holdfast, kVersionBoundRow, &row);
  if (!status.ok() && !status.IsNotFound()) return ReadError(status);
  if (status.ok()) {
    const std::optional<std::uint64_t> bound = DecodeNumber(row);
    if (!bound) return Error(ErrorCode::kCorruption, "the row version_bound is damaged: restore a backup");
    next = std::max(next, *bound);
  }
  std::unique_ptr<VersionSource> source(new VersionSource(database, next));
  HOLDFAST_RETURN_IF_ERROR(source->Reserve(next + kBlock));
  return source;
}

Result<Version> VersionSource::Take(std::uint64_t count) {
  // From here on these are nobody else's. Those at or above the bound are given out when a bound behind them is on
  // disk; when that fails, nobody ever gets them.
  const Version first = next_.fetch_add(count, std::memory_order_relaxed);
  const Version end = first + count;
  if (end <= bound_.load(std::memory_order_acquire)) return first;
  std::lock_guard lock(mutex_);
  if (end > bound_.load(std::memory_order_relaxed)) HOLDFAST_RETURN_IF_ERROR(Reserve(end + kBlock));
  return first;
}

Status VersionSource::Reserve(Version end) {
  rocksdb::WriteBatch batch;
  batch.Put(database_.holdfast, kVersionBoundRow, EncodeNumber(end));
  // Synced whatever the durability: losing acknowledged writes may be chosen, giving a version out twice may not.
  Status written = database_.gate->Write(*database_.db, batch, /*sync=*/true);
  if (written.ok()) {
    bound_.store(end, std::memory_order_release);
    return {};
  }
  const ErrorCode code =
      written.error().code() == ErrorCode::kOutcomeUnknown ? ErrorCode::kUnavailable : written.error().code();
  return Error(code, written.error().message()).WithContext("reserving versions");
}

}  // namespace holdfast::storage
