// Reads a checkpoint as a stream. Memory: a block, of kBlockBytes unless an entry is larger.
//
// Nothing damaged is ever given out: a block's checksum is looked at before its entries. That the checkpoint is whole
// is known once Next has come to the end, where counts, SHA-256 and the end of the bytes are; whoever must not act on a
// part reads it to the end first (ValidateCheckpoint).
#pragma once

#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "service/durability/checkpoint_format.h"
#include "service/execution/task_pool.h"

namespace holdfast::durability {

// Fills the buffer with the next bytes as far as there are any, and returns how many; 0: the end.
using ByteSource = std::function<Result<std::size_t>(char* buffer, std::size_t size)>;

struct ReaderOptions {
  // That decode the blocks behind the one which Next gives, at most kAheadBytes of entries; 0: Next decodes them.
  int threads = 0;
  // Asked of the entries of every block; its error is Next's. Called by those threads.
  std::function<Status(std::span<const storage::KeyedEntry> items)> check;
  CheckpointKind kind = CheckpointKind::kFull;  // another one is kFailedPrecondition
};

// The next block is decoded ahead while those ahead have fewer bytes than this.
inline constexpr std::size_t kAheadBytes = 16 * kBlockBytes;

// Not thread-safe. Every error but one of the source and of `check` is kCorruption, or kFailedPrecondition for another
// format. After an error it is of no more use.
class CheckpointReader {
 public:
  // Reads the header.
  static Result<CheckpointReader> Open(ByteSource source, const ReaderOptions& options = {});

  const CheckpointHeader& header() const { return header_; }
  // The entries of the next block, in the order of their keys, expired ones too; none: the end, and all of it is sound.
  // They are nobody else's.
  Result<std::vector<storage::KeyedEntry>> Next();
  // Once Next has come to the end.
  const CheckpointSummary& summary() const { return summary_; }

 private:
  struct Block {
    std::vector<storage::KeyedEntry> entries;
    std::uint64_t entry_bytes = 0;  // of keys and values
  };
  struct Ahead {
    std::future<Result<Block>> block;
    std::size_t bytes = 0;
  };

  CheckpointReader(ByteSource source, const ReaderOptions& options);

  // Adds exactly so many bytes; kCorruption when there are fewer.
  Status Read(std::string* bytes, std::size_t count);
  // Begins to decode what may be decoded; an error is that of reading what comes behind it.
  Status ReadAhead();
  Status ReadBlock(std::string block);
  static Result<Block> Decode(const std::string& block, const ReaderOptions& options);
  Status Footer(std::string footer);

  ByteSource source_;
  ReaderOptions options_;
  CheckpointHeader header_;
  CheckpointSummary summary_;
  CheckpointSummary seen_;
  std::string last_key_;
  Sha256Stream digest_;
  std::deque<Ahead> ahead_;
  std::size_t ahead_bytes_ = 0;
  std::string behind_;  // the first byte of what is no block
  Status broken_;       // why nothing more can be read
  std::unique_ptr<execution::TaskPool> pool_;
};

// Reads all of it. What it is and what its footer says.
struct ValidCheckpoint {
  CheckpointHeader header;
  CheckpointSummary summary;
};
Result<ValidCheckpoint> ValidateCheckpoint(ByteSource source, const ReaderOptions& options = {});

}  // namespace holdfast::durability
