// Memory for the records of one shard, cut from blocks in multiples of a cache line. Lying together, apart from values
// and index nodes, they share few enough pages for the processor's translation buffer; a record with a short key is one
// line.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace holdfast::storage {

// Not thread-safe.
class RecordPool {
 public:
  // Aligned to a cache line. A freed piece serves the next request of its size; blocks go back when the pool does.
  void* Allocate(std::size_t bytes);
  // `bytes` as it was allocated with.
  void Free(void* piece, std::size_t bytes);
  // Nothing of it is in use any more.
  void Clear();

 private:
  static constexpr std::size_t kLine = 64;
  static constexpr std::size_t kBlockBytes = 16u << 10;
  static constexpr std::size_t kMostLines =
      20;  // the longest key a service lets through, and its prefix; else operator new

  struct alignas(kLine) Block {
    std::array<std::byte, kBlockBytes> bytes;
  };
  struct FreePiece {
    FreePiece* next;
  };

  std::vector<std::unique_ptr<Block>> blocks_;
  std::size_t used_ = kBlockBytes;  // of the last block
  std::array<FreePiece*, kMostLines + 1> free_{};
};

}  // namespace holdfast::storage
