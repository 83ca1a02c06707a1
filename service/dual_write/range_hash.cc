#include "service/dual_write/range_hash.h"

#include "service/dual_write/fnv.h"
#include "service/dual_write/rows.h"

namespace holdfast::dual_write {
namespace {

// Every bit of the hash to every bit of the summand: FNV alone changes few of the upper ones for a last byte. The
// finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
std::uint64_t Spread(std::uint64_t hash) {
  hash = (hash ^ (hash >> 30U)) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ (hash >> 27U)) * 0x94d049bb133111ebU;
  return hash ^ (hash >> 31U);
}

}  // namespace

void RangeHash::Add(std::string_view key, const storage::Entry& entry) {
  const std::uint64_t fingerprint = Fingerprint(entry);
  Fnv fnv;
  fnv.Add(key);
  fnv.Add({reinterpret_cast<const char*>(&fingerprint), sizeof(fingerprint)});
  sum_ += Spread(fnv.hash());
}

}  // namespace holdfast::dual_write
