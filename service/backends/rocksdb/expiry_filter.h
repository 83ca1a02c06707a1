// Drops expired entries while RocksDB rewrites its files, which costs no write of our own. Dropping is safe because the
// decision is made from the entry's own bytes, checksum verified, and RocksDB turns a dropped entry into a deletion, so
// that no older one shines through. What cannot be read is kept, so that a reader hears of the damage.
//
// The sweeper comes first, because only it tells the change listener: what expired less than kCompactionGrace before
// the end of its last complete run is left to it, and everything is until its first run has ended.
#pragma once

#include <rocksdb/compaction_filter.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/time/clock.h"

namespace holdfast::storage {

inline constexpr std::chrono::minutes kCompactionGrace{10};
// Microseconds since 1970 up to which expired entries were swept; 0 = not yet.
using SweptUntil = std::atomic<std::int64_t>;

// `removed` counts what was dropped. `clock` outlives the database.
std::shared_ptr<rocksdb::CompactionFilterFactory> MakeExpiryFilterFactory(
    const Clock& clock, std::shared_ptr<const SweptUntil> swept, std::shared_ptr<std::atomic<std::uint64_t>> removed);

}  // namespace holdfast::storage
