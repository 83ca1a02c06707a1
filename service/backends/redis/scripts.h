// The Lua that runs in the server: each script is one atomic step. Their arguments are bytes that no script ever runs
// as code. Keys: docs/formats/redis.md.
//
// A script computes the names of its keys from the prefix, KEYS[1]: in a Redis Cluster all of them lie in the slot of
// the prefix's {hash tag}.
#pragma once

#include <cstdint>

#include "base/redis/pipeline.h"

namespace holdfast::storage::redis_backend {

// Rows that one call of `write` may read, their values as they are when they are not packed; it changes nothing above
// it. A reply holds them all.
inline constexpr std::uint64_t kStoredBytesPerCall = std::uint64_t{128} << 20;
// Rows that it asks for at once, so that it stops within so many rows of the bound.
inline constexpr std::uint64_t kRowsPerRead = 8;
// Names and rows in one of its MSETs; Lua hands over some thousands at most.
inline constexpr std::uint64_t kWordsPerWrite = 256;
// What one call of `write` may be told; far below what the server takes of one command.
inline constexpr std::uint64_t kSentBytesPerCall = std::uint64_t{600} << 20;
// The least of a page of the change stream: one change may be larger.
inline constexpr std::uint64_t kChangeBytesPerRead = std::uint64_t{8} << 20;
// What a change costs that is kept for a change log, beside its key and its entry.
inline constexpr std::uint64_t kArchivedRowBytes = 64;
// Of the changes of one step that stand in one row; one change may be larger.
inline constexpr std::uint64_t kArchivedPartBytes = std::uint64_t{1} << 20;

// Clocks are microseconds, or empty: the server's.
struct Scripts {
  Scripts();

  // Operations, a transaction or a removal of what has expired; arguments: write_call.cc. Replies:
  //   {"joined not"}              the instance is not among the instances; nothing was done
  //   {"locks paused", seconds}   it takes a lock, and the data was lost: nothing was done
  //   {"too large"}               several rows hold more than kStoredBytesPerCall; nothing was done
  //   {"done", now, first version, "1" when nothing was logged else "0", epoch, position, changes, row or nil...}
  // with the rows as they stood before, in the order of the keys.
  redis::Script write;
  // Puts of different keys that are unconditional and never expire, at three quarters of the cost of `write`, which
  // would do the same. Replies as `write` does.
  redis::Script put;
  // Clock, first bound, last bound (in the order of the scan, as ZRANGE BYLEX takes them), "1" descending, "1" keys
  // only, entries at most, bytes at most, entries and bytes of the page so far, keys looked at at most. Replies {"1"
  // when nothing is left, key behind which to go on or nil, {key, beginning of its row, bytes of the value}...}.
  redis::Script scan;
  // Clock, first bound, last bound; start, "1" when there is an end, end. Replies the number of live entries.
  redis::Script count;
  // Clock, keys at most. Replies those of entries that have expired.
  redis::Script expired;
  // Instance, run_id of the server, timeout, the birth of the data it had joined before or empty, when the last of the
  // locks in it expires. Replies {epoch, joins, position, birth of the data}.
  redis::Script join;
  // Instance, position it has read or empty to change nothing, timeout. Replies {"1" when it is an instance, how many
  // there are, epoch, joins, position, the row of the instance when it was changed}.
  redis::Script look;
  // Epoch, position. Replies changes behind it as XRANGE does, up to kChangeBytesPerRead.
  redis::Script read_changes;
  // Proves that a write is accepted.
  redis::Script probe;

  // Of what is kept for a store's change log (kept_changes.h); the store comes first.
  // Token for a new one, bytes that may wait, "1" when every acknowledged write is on the server's disk, "1" when it
  // has to have this token. Replies {token, step, the server's clock}.
  redis::Script begin_archive;
  // Token, id behind which to read, bytes wanted, as above. Replies {"gap", why}, or {"end" | "step" | "within", the
  // server's clock, changes as XRANGE does...}: that was all; or a step ends there; or more of the last one follows.
  redis::Script read_archive;
  // Token, the last step that is safe elsewhere.
  redis::Script release_archive;
  // Instance, bytes that may wait. Replies 1 when it is the one that ships.
  redis::Script claim_archive;
  // Instance.
  redis::Script yield_archive;
};

}  // namespace holdfast::storage::redis_backend
