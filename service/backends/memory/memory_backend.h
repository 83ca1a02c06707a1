// Entries in this process's memory: nothing survives it. Reads and writes run on the caller's thread.
//
// Keys are spread over shards by hash; each shard has a hash table for single keys and an ordered index for scans under
// one reader-writer lock, held only for look-ups and pointer swaps, never while a value is copied. Readers never wait
// for each other, and do not even write to the same cache line (shard_lock.h).
//
// With a compression, values from its threshold on are kept packed when that makes them an eighth smaller, and every
// read of one unpacks it; what is read, compared and told to the listener is the value as it was given. Packing is done
// before a lock is taken, and so is unpacking for single writes and transactions; removals by range, expiry and
// eviction unpack under the lock, for the listener, a few values at a time.
//
// When max_bytes is reached, a write takes room from other entries as `eviction` says, or fails; see eviction.h. Only
// keys that clients PUT are ever evicted, and the change listener hears of each.
//
// Versions start at the wall clock's microseconds times a thousand and count up by one, so they stay above every
// version of an earlier run as long as the clock was not set back in between and a run wrote less than 10^9 entries
// per second.
//
// Expiry follows the given clock. A sweeper removes what has expired within kMemorySweepInterval plus its own run.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/time/clock.h"
#include "service/compression/codec.h"
#include "service/storage/backend.h"

namespace holdfast::storage {

// What gives way when max_bytes is reached.
enum class Eviction {
  kNone,  // nothing: the write is kResourceExhausted
  kLru,   // what has not been used for longest
  kLfu,   // what is used least often
  kTtl,   // what expires next; kResourceExhausted when nothing that is left expires
};

struct MemoryOptions {
  Limits limits;
  // Keys, values as they are kept and what is kept beside them, with kEntryOverhead per entry. 0 = no limit. A write
  // for which there is no room, nor any to be made, is kResourceExhausted; deleting always works.
  std::uint64_t max_bytes = 0;
  Eviction eviction = Eviction::kNone;
  compression::Options compression;
};

inline constexpr std::chrono::milliseconds kMemorySweepInterval{250};

// `clock` outlives the backend.
std::unique_ptr<Backend> MakeMemoryBackend(const MemoryOptions& options, const Clock& clock = SystemClock());

}  // namespace holdfast::storage
