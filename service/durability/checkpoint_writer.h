// Writes a checkpoint as a stream: entries go in by the order of their keys, bytes come out as blocks are full. Memory:
// a few blocks of kBlockBytes, however many entries there are.
#pragma once

#include <deque>
#include <functional>
#include <future>
#include <string>
#include <string_view>

#include "base/result/result.h"
#include "service/durability/checkpoint_format.h"
#include "service/execution/task_pool.h"

namespace holdfast::durability {

// Takes the next bytes; its error ends the writing.
using ByteSink = std::function<Status(std::string_view bytes)>;

struct WriterOptions {
  int threads = 2;  // that compress blocks, beside the caller's
  int level = 1;    // of Zstandard, compression/codec.h
};

// Not thread-safe. After an error it is of no more use.
class CheckpointWriter {
 public:
  CheckpointWriter(ByteSink sink, const WriterOptions& options);

  // First, once.
  Status Begin(const CheckpointHeader& header);
  // kInvalidArgument unless `key` lies behind the one before.
  Status Add(std::string_view key, const storage::Entry& entry);
  // Last, once: everything is with the sink.
  Result<CheckpointSummary> Finish();

 private:
  Status EndBlock();
  // Until no more than `most` blocks are being compressed.
  Status WriteBlocks(std::size_t most);
  Status Write(std::string_view bytes);

  const ByteSink sink_;
  const WriterOptions options_;
  const std::size_t most_in_flight_;
  std::string entries_;  // of the block that is being filled
  std::uint32_t count_ = 0;
  std::string last_key_;
  std::deque<std::future<std::string>> in_flight_;
  CheckpointSummary summary_;
  Sha256Stream digest_;
  execution::TaskPool pool_;  // last: its threads end before what they use
};

}  // namespace holdfast::durability
