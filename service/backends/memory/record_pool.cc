#include "service/backends/memory/record_pool.h"

#include <new>

namespace holdfast::storage {

void* RecordPool::Allocate(std::size_t bytes) {
  const std::size_t lines = (bytes + kLine - 1) / kLine;
  if (lines > kMostLines) return ::operator new (bytes, std::align_val_t{kLine});
  if (FreePiece* piece = free_[lines]) {
    free_[lines] = piece->next;
    return piece;
  }
  if (used_ + lines * kLine > kBlockBytes) {
    // Not value-initialised: a page that is never used is never touched.
    blocks_.emplace_back(new Block);
    used_ = 0;
  }
  void* piece = blocks_.back()->bytes.data() + used_;
  used_ += lines * kLine;
  return piece;
}

void RecordPool::Free(void* piece, std::size_t bytes) {
  const std::size_t lines = (bytes + kLine - 1) / kLine;
  if (lines > kMostLines) return ::operator delete (piece, std::align_val_t{kLine});
  free_[lines] = new (piece) FreePiece{free_[lines]};
}

void RecordPool::Clear() {
  blocks_.clear();
  used_ = kBlockBytes;
  free_.fill(nullptr);
}

}  // namespace holdfast::storage
