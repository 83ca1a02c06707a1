#include "service/backends/memory/record_table.h"

#include <cstring>
#include <new>

namespace holdfast::storage {
namespace {

constexpr std::size_t kFirstCapacity = 16;

Record* MakeRecord(std::string_view key) {
  void* memory = ::operator new(sizeof(Record) + key.size());
  auto* record = new (memory) Record();
  record->key_bytes = static_cast<std::uint32_t>(key.size());
  std::memcpy(static_cast<char*>(memory) + sizeof(Record), key.data(), key.size());
  return record;
}

void FreeRecord(Record* record) {
  record->~Record();
  ::operator delete(record);
}

}  // namespace

Record& RecordTable::Add(const HashedKey& key) {
  if ((size_ + 1) * 4 > slots_.size() * 3) Grow();
  const Slot slot{key.hash, MakeRecord(key.key)};
  Place(slot);
  ++size_;
  return *slot.record;
}

void RecordTable::Remove(const HashedKey& key) {
  std::size_t hole = Position(key);
  FreeRecord(slots_[hole].record);
  // The ones behind it move up where their probing would have met the hole, so that no look-up ends there too early
  // (Knuth, The Art of Computer Programming 3, 6.4, algorithm R).
  for (std::size_t at = (hole + 1) & mask_; slots_[at].record != nullptr; at = (at + 1) & mask_) {
    const std::size_t wanted = slots_[at].hash & mask_;
    if (((at - wanted) & mask_) < ((at - hole) & mask_)) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = Slot{};
  --size_;
}

void RecordTable::Clear() {
  for (const Slot& slot : slots_) {
    if (slot.record != nullptr) FreeRecord(slot.record);
  }
  slots_.clear();
  mask_ = size_ = 0;
}

std::size_t RecordTable::Position(const HashedKey& key) const {
  std::size_t at = key.hash & mask_;
  while (slots_[at].hash != key.hash || slots_[at].record->key() != key.key) at = (at + 1) & mask_;
  return at;
}

void RecordTable::Place(const Slot& slot) {
  std::size_t at = slot.hash & mask_;
  while (slots_[at].record != nullptr) at = (at + 1) & mask_;
  slots_[at] = slot;
}

void RecordTable::Grow() {
  std::vector<Slot> smaller(slots_.empty() ? kFirstCapacity : slots_.size() * 2);
  smaller.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const Slot& slot : smaller) {
    if (slot.record != nullptr) Place(slot);
  }
}

}  // namespace holdfast::storage
