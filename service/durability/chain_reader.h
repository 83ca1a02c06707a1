// Reads a full backup and the increments on it as the one store that they come to, in the order of the keys and as a
// stream. Memory: a block of each link, and a range.
//
// The index of the last link says which of them has each range, and what stands in it; every range is compared with
// that before any of it is given out. That every link is whole is known once Next has come to the end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "service/dual_write/range_hash.h"
#include "service/durability/checkpoint_writer.h"
#include "service/durability/entry_stream.h"
#include "service/durability/range_index.h"

namespace holdfast::durability {

struct ChainLink {
  ByteSource data;
  Digest parent{};    // what its header has to say; of increments
  Digest checksum{};  // what its footer has to
};

// What the store comes to.
struct ChainTotals {
  std::uint64_t entries = 0;
  std::uint64_t entry_bytes = 0;  // of keys and values
  std::uint64_t content = 0;      // dual_write/range_hash.h
};

// Not thread-safe. Every error but those of the sources is kCorruption, or kFailedPrecondition for another format.
// After an error it is of no more use.
class ChainReader {
 public:
  // `links`: the full one first; `index`: of the last one.
  static Result<std::unique_ptr<ChainReader>> Open(ByteSource index, std::vector<ChainLink> links);

  // Of the last link.
  const CheckpointHeader& header() const { return links_.back().reader->header(); }
  // The entries of the next range; none: the end, and all links are sound. They are nobody else's.
  Result<std::vector<storage::KeyedEntry>> Next();
  // Once Next has come to the end.
  ChainTotals totals() const { return {entries_, entry_bytes_, content_.value()}; }

 private:
  using Entries = EntryStream<std::function<Result<std::vector<storage::KeyedEntry>>(bool* complete)>>;
  struct Link {
    std::shared_ptr<CheckpointReader> reader;
    Digest checksum{};
    Entries entries;
  };

  explicit ChainReader(RangeIndexReader index) : index_(std::move(index)) {}
  Status AddLink(ChainLink link);
  Status Finish();

  RangeIndexReader index_;
  std::vector<Link> links_;
  RangeDigester digester_;
  std::uint64_t entries_ = 0;
  std::uint64_t entry_bytes_ = 0;
  dual_write::RangeHash content_;
};

// The bytes of a whole checkpoint of what a chain comes to; `header` is its header. `accept` is asked of the totals
// before the end is given out: its error is that of reading.
ByteSource CheckpointOf(std::unique_ptr<ChainReader> chain, CheckpointHeader header, const WriterOptions& options,
                        std::function<Status(const ChainTotals& totals)> accept);

}  // namespace holdfast::durability
