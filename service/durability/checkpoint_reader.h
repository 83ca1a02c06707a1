// Reads a checkpoint as a stream. Memory: a block, of kBlockBytes unless an entry is larger.
//
// Nothing damaged is ever given out: a block's checksum is looked at before its entries. That the checkpoint is whole
// is known once Next has come to the end, where counts, SHA-256 and the end of the bytes are; whoever must not act on a
// part reads it to the end first (ValidateCheckpoint).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "service/durability/checkpoint_format.h"

namespace holdfast::durability {

// Fills the buffer with the next bytes as far as there are any, and returns how many; 0: the end.
using ByteSource = std::function<Result<std::size_t>(char* buffer, std::size_t size)>;

// Not thread-safe. Every error but one of the source is kCorruption, or kFailedPrecondition for another format.
class CheckpointReader {
 public:
  // Reads the header.
  static Result<CheckpointReader> Open(ByteSource source);

  const CheckpointHeader& header() const { return header_; }
  // The entries of the next block, in the order of their keys, expired ones too; none: the end, and all of it is sound.
  Result<std::vector<storage::KeyedEntry>> Next();
  // Once Next has come to the end.
  const CheckpointSummary& summary() const { return summary_; }

 private:
  explicit CheckpointReader(ByteSource source) : source_(std::move(source)) {}

  // Adds exactly so many bytes; kCorruption when there are fewer.
  Status Read(std::string* bytes, std::size_t count);
  Result<std::vector<storage::KeyedEntry>> Block(std::string block);
  Status Footer(std::string footer);

  ByteSource source_;
  CheckpointHeader header_;
  CheckpointSummary summary_;
  CheckpointSummary seen_;
  std::string last_key_;
  Sha256Stream digest_;
};

// Reads all of it. What it is and what its footer says.
struct ValidCheckpoint {
  CheckpointHeader header;
  CheckpointSummary summary;
};
Result<ValidCheckpoint> ValidateCheckpoint(ByteSource source);

}  // namespace holdfast::durability
