// Puts a checkpoint back into a store.
//
// Both are walked in the order of their keys, and only what differs is written: an entry of the checkpoint that the
// store has so already (value, content type, metadata, tags, expiry) keeps its version, whoever watches hears of
// changes only, and a restore that was interrupted is finished by another one. An entry that is written gets a new
// version and the time of the restore, as every write does: an ETag of before does not match it.
//
// The whole is not atomic. Each key changes at once; who reads meanwhile may see some keys as they were and others as
// they are to be. A client's write meanwhile stands if it came behind the walk at its key, and is replaced if it came
// before; it is never mixed with another.
#pragma once

#include <cstdint>
#include <string>

#include "base/time/clock.h"
#include "service/durability/checkpoint_reader.h"
#include "service/storage/backend.h"
#include "service/transfer/patience.h"

namespace holdfast::durability {

struct RestoreOptions {
  // That decode blocks, and as many that write; 0: the caller's does both. Memory: some kBatchBytes, or kLoadBytes, for
  // each.
  int threads = 2;
  BackoffPolicy pauses = transfer::kPauses;
};

// Of one Execute, as far as the backend's limits allow.
inline constexpr std::size_t kBatchOperations = 10'000;
inline constexpr std::size_t kBatchBytes = 4u << 20;
// Of one Load, where that is more than Execute; the backend says how many operations.
inline constexpr std::size_t kLoadBytes = 8u << 20;

struct RestoreCounts {
  std::uint64_t restored = 0;  // entries of the checkpoint that the store has now
  std::uint64_t written = 0;   // of these, what it did not have so
  std::uint64_t deleted = 0;
  std::uint64_t expired = 0;  // entries of the checkpoint whose time is over
};

// Reads all of the checkpoint and changes nothing. kCorruption; kInvalidArgument or kResourceExhausted when the backend
// would not take an entry of it; kDeadlineExceeded.
Result<ValidCheckpoint> CheckRestorable(ByteSource source, const storage::Backend& backend, const std::string& store,
                                        Deadline deadline, int threads = 0);

// Makes the store what the checkpoint holds, as content.h says. A call whose failure may pass is made again. On an
// error a part may have been restored. `clock` says what has expired.
Result<RestoreCounts> Restore(ByteSource source, storage::Backend& backend, const std::string& store,
                              const Clock& clock, const RestoreOptions& options = {});

}  // namespace holdfast::durability
