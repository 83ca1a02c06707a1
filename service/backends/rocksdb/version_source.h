// Versions that never come back, without leaving a trace per deleted key: one counter for all keys, whose upper bound
// is reserved on disk, a block at a time, before a version of the block is given out. A start begins at the bound, so
// it is above every version that was ever given out, also after a crash.
//
// It begins at the wall clock's microseconds times a thousand when that is higher: a directory that was lost, or
// replaced by an older backup, does not give out the versions of its former life again.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/result/result.h"
#include "service/backends/rocksdb/database.h"

namespace holdfast::storage {

// Thread-safe.
class VersionSource {
 public:
  // One more synced write for every block.
  static constexpr Version kBlock = 1u << 20;

  static Result<std::unique_ptr<VersionSource>> Open(Database& database, Timestamp now);

  // The first of `count` versions in a row, all above every version given out before. An error leaves nothing of the
  // caller's written, so it is never kOutcomeUnknown.
  Result<Version> Take(std::uint64_t count);

 private:
  VersionSource(Database& database, Version next) : database_(database), next_(next), bound_(next) {}
  Status Reserve(Version end);

  Database& database_;
  std::mutex mutex_;            // held while reserving
  std::atomic<Version> next_;   // all drawn so far lie below it
  std::atomic<Version> bound_;  // on disk; versions below it may be given out; changed under mutex_
};

}  // namespace holdfast::storage
