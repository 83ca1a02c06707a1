// The hash of what stands in a range of keys: the same for every backend, however it keeps the entries and in whatever
// order they are added. Versions and times of writing do not count, all else does (rows.h, Fingerprint).
//
// The sum of what each entry's hash is spread to, modulo 2^64: two different contents have the same with a probability
// of 2^-64 unless somebody looks for them. It tells what was lost or changed by accident; against an enemy there are
// SHA-256 and the tags of encryption.
#pragma once

#include <cstdint>
#include <string_view>

#include "service/storage/types.h"

namespace holdfast::dual_write {

// Not thread-safe.
class RangeHash {
 public:
  // Once for each key.
  void Add(std::string_view key, const storage::Entry& entry);
  // 0 of nothing.
  std::uint64_t value() const { return sum_; }

 private:
  std::uint64_t sum_ = 0;
};

}  // namespace holdfast::dual_write
