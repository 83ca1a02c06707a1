// When a batch was written, beside its rows in the write-ahead log: deletions leave nothing else that would say so.
// RocksDB keeps it in the log only; a batch that it merges others into has one behind the rows of each.
#pragma once

#include <rocksdb/slice.h>
#include <rocksdb/write_batch.h>

#include <optional>

#include "base/time/clock.h"

namespace holdfast::storage {

// Last, behind the rows.
void AppendStamp(Timestamp now, rocksdb::WriteBatch* batch);
// nullopt: it is something else.
std::optional<Timestamp> ParseStamp(const rocksdb::Slice& blob);

}  // namespace holdfast::storage
