// What ranges the entries of a backup are cut into, and what stands in each: by comparing two of them it is known what
// has changed. docs/formats/range-index.md is the published description, and a golden test holds the two together.
//
// The keys say where ranges begin, so that an entry which is added or removed moves no cut but its own. A range reaches
// from its first key to that of the next one; an entry of before the first range there is none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result/result.h"
#include "service/durability/checkpoint_reader.h"
#include "service/storage/types.h"

namespace holdfast::durability {

// On average; one that changes is written whole.
inline constexpr std::uint32_t kRangeEntries = 16;
// A range is ended behind the entry that makes it so large.
inline constexpr std::size_t kRangeBytes = std::size_t{64} << 10;

// The first bytes of the SHA-256 of the entries as they stand in a checkpoint: two contents that somebody made for it
// to be the same would have cost them 2^64 attempts, and spoilt what is their own.
using RangeDigest = std::array<char, 16>;

struct IndexedRange {
  std::string first;
  std::optional<std::string> end;  // the first key of the next range; none: it is the last one
  std::uint8_t link = 0;           // of the chain, whose stream has its entries; 0: the full backup's
  std::uint32_t entries = 0;
  RangeDigest digest{};
};

// Whether a range begins at that key, behind so many bytes of entries of the one before.
bool BeginsRange(std::string_view key, std::size_t bytes);

// Not thread-safe.
class RangeDigester {
 public:
  // In the order of the keys. Returns the bytes that it has in a checkpoint.
  std::size_t Add(std::string_view key, const storage::Entry& entry);
  // Of all since the last one.
  RangeDigest Finish();

 private:
  std::string encoded_;
  Sha256Stream stream_;
};

// How a range stands in the stream, under its first key.
storage::Entry EncodeRange(const IndexedRange& range);

// Not thread-safe. Errors as CheckpointReader's.
class RangeIndexReader {
 public:
  static Result<RangeIndexReader> Open(ByteSource source);

  const CheckpointHeader& header() const { return reader_.header(); }
  // nullopt: the end, and all of it is sound.
  Result<std::optional<IndexedRange>> Next();

 private:
  explicit RangeIndexReader(CheckpointReader reader) : reader_(std::move(reader)) {}

  // nullptr at the end. Valid until Pop.
  Result<storage::KeyedEntry*> Peek();

  CheckpointReader reader_;
  std::vector<storage::KeyedEntry> items_;
  std::size_t next_ = 0;
  bool complete_ = false;
};

}  // namespace holdfast::durability
