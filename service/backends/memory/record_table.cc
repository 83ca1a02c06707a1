#include "service/backends/memory/record_table.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace holdfast::storage {
namespace {

constexpr std::size_t kFirstCapacity = 16;

}  // namespace

Record* RecordTable::Make(std::string_view key) {
  void* memory = pool_.Allocate(sizeof(Record) + key.size());
  auto* record = new (memory) Record();
  record->key_bytes = static_cast<std::uint32_t>(key.size());
  std::memcpy(static_cast<char*>(memory) + sizeof(Record), key.data(), key.size());
  return record;
}

void RecordTable::Free(Record* record) {
  const std::size_t bytes = sizeof(Record) + record->key_bytes;
  record->~Record();
  pool_.Free(record, bytes);
}

Record& RecordTable::Add(const HashedKey& key) {
  if ((size_ + 1) * 8 > slots_.size() * 7) Grow();
  Record* record = Make(key.key);
  const auto address = reinterpret_cast<std::uint64_t>(record);
  if ((address & kTagBits) != 0) std::abort();  // an address space this program was not written for
  Place(key.hash, address | TagOf(key.hash));
  ++size_;
  return *record;
}

void RecordTable::Remove(const HashedKey& key) {
  std::size_t hole = Position(key);
  Free(RecordOf(slots_[hole]));
  // The ones behind it move up where their probing would have met the hole, so that no look-up ends there too early
  // (Knuth, The Art of Computer Programming 3, 6.4, algorithm R).
  for (std::size_t at = (hole + 1) & mask_; slots_[at] != 0; at = (at + 1) & mask_) {
    const std::size_t wanted = HashedKey(RecordOf(slots_[at])->key()).hash & mask_;
    if (((at - wanted) & mask_) < ((at - hole) & mask_)) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = 0;
  --size_;
}

void RecordTable::Clear() {
  for (const std::uint64_t slot : slots_) {
    if (slot != 0) Free(RecordOf(slot));
  }
  slots_.clear();
  pool_.Clear();
  mask_ = size_ = 0;
}

std::size_t RecordTable::Position(const HashedKey& key) const {
  std::size_t at = key.hash & mask_;
  while ((slots_[at] & kTagBits) != TagOf(key.hash) || RecordOf(slots_[at])->key() != key.key) at = (at + 1) & mask_;
  return at;
}

void RecordTable::Place(std::size_t hash, std::uint64_t slot) {
  std::size_t at = hash & mask_;
  while (slots_[at] != 0) at = (at + 1) & mask_;
  slots_[at] = slot;
}

void RecordTable::Grow() {
  std::vector<std::uint64_t> smaller(slots_.empty() ? kFirstCapacity : slots_.size() * 2);
  smaller.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const std::uint64_t slot : smaller) {
    if (slot != 0) Place(HashedKey(RecordOf(slot)->key()).hash, slot);
  }
}

}  // namespace holdfast::storage
