// Which entry goes when the memory is full, decided as Redis does (redis.io, "Key eviction", and its evict.c): a note
// of use in each record, a handful of records sampled, the worst of them evicted. An exact order over all entries would
// make every read a write to a shared list.
//
//   lru   the note is the store's write count when the entry was last used: recency in writes, which is what matters,
//         because only writes evict
//   lfu   the note is a logarithmic counter of uses that forgets one per minute, with the minute it was last decayed
//   ttl   the entry that expires next; entries that never expire stay
#pragma once

#include <cstdint>
#include <string_view>

#include "service/backends/memory/memory_backend.h"
#include "service/backends/memory/record_table.h"

namespace holdfast::storage {

// Samples per eviction; Redis takes 5, and 10 come close to the exact order by its own measurements.
inline constexpr std::size_t kEvictionSamples = 8;

// Only what clients PUT may be taken from them: a lock, a fence, a document or its index never vanishes for want of
// room. A key that is in no key space at all counts as PUT by a client.
bool IsEvictable(std::string_view key);

// What the moment is to the notes.
struct EvictionClock {
  std::uint64_t writes = 0;   // counts up with every write
  std::uint64_t minutes = 0;  // since 1970
};

// The note of a record that has just been written for the first time.
std::uint64_t FirstUse(Eviction eviction, const EvictionClock& now);
// The note after one more use. `random` is any number, uniformly distributed.
std::uint64_t NextUse(Eviction eviction, std::uint64_t use, const EvictionClock& now, std::uint64_t random);

// Of two candidates the one with the higher score goes first. Only meant to be compared with others of the same moment.
std::uint64_t EvictionScore(Eviction eviction, const Record& record, const EvictionClock& now);
// Whether the policy may take this record at all; changes with its expiry only.
bool IsCandidate(Eviction eviction, const Record& record);

}  // namespace holdfast::storage
