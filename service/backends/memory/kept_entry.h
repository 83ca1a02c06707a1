// How the memory backend keeps an entry: as it was given, shared with whoever reads it, or with its value packed.
// Nobody outside this room sees a packed one. Thread-safe, but for Packing.
//
// A value is packed and unpacked in this process only. One that does not unpack says that the memory of the process is
// damaged: that is logged, and ends the process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "service/compression/codec.h"
#include "service/storage/types.h"

namespace holdfast::storage {

// Smaller values are never packed: what stands beside them takes more than they do.
inline constexpr std::size_t kLeastPacked = 64;

using PackedBytes = std::shared_ptr<const std::string>;

// Its own `value` is empty.
struct PackedEntry : Entry {
  PackedBytes bytes;            // shared by entries with the same value, as those before and behind a touch
  std::size_t value_bytes = 0;  // before it was packed
  compression::Codec codec = compression::Codec::kNone;
};

struct KeptEntry {
  EntryPtr entry;       // null: there is none
  bool packed = false;  // it is a PackedEntry
};

// The size of the value, and what it takes of memory.
std::size_t ValueBytes(const Entry& entry, bool packed);
std::size_t KeptValueBytes(const Entry& entry, bool packed);
// Everything but the value.
void CopyAttributes(const Entry& from, Entry* to);
// As it was given.
EntryPtr Plain(const KeptEntry& kept);

// Of all values that were packed since the start: their bytes before and after.
struct PackingCounts {
  std::atomic<std::uint64_t> before{0};
  std::atomic<std::uint64_t> after{0};
};

// Packs and unpacks for one call and remembers both for its time: what a write needs is made before it takes a lock,
// and looked up under it. Only what others have changed in between is unpacked there. Not thread-safe.
class Packing {
 public:
  // Both outlive it.
  Packing(const compression::Options& options, PackingCounts& counts) : options_(options), counts_(counts) {}

  // Packs the value of a put, which outlives it as well; other operations need nothing.
  void Prepare(const Operation& operation);
  EntryPtr Plain(const KeptEntry& kept);
  // Packed, when its value is one that was prepared or unpacked here and takes less so.
  KeptEntry Keep(EntryPtr entry) const;

 private:
  struct Unpacked {
    EntryPtr kept;  // so that its address stays its own
    EntryPtr plain;
  };

  const compression::Options& options_;
  PackingCounts& counts_;
  std::map<const Entry*, Unpacked> unpacked_;
  std::map<std::string_view, PackedBytes> packed_;  // by the value
};

}  // namespace holdfast::storage
