// Writes a store as a backup keeps it: the checkpoint, or of an increment what has changed, and the index of its ranges
// beside it. Memory: a range (64 KiB, or its one entry), and what two CheckpointWriters have.
#pragma once

#include <cstdint>
#include <functional>

#include "service/durability/checkpoint_writer.h"
#include "service/durability/range_index.h"
#include "service/storage/backend.h"

namespace holdfast::durability {

struct IndexedExportOptions {
  // Of an increment: the index of the backup that it builds on; empty: this is a full one.
  ByteSource parent;
  std::uint8_t link = 0;  // in the chain, 1 more than that backup's; 0: full
  WriterOptions writer;
  Deadline deadline = Deadline::Infinite();
  std::function<Status()> go_on;  // asked now and then; its error ends it
};

struct IndexedSinks {
  ByteSink data;
  ByteSink index;
};

struct IndexedSummary {
  CheckpointHeader header;  // with what only the backend knows
  CheckpointSummary data;   // of the stream
  // Of the store.
  std::uint64_t entries = 0;
  std::uint64_t entry_bytes = 0;  // of keys and values
  std::uint64_t content = 0;      // dual_write/range_hash.h, of keys without the store's name
};

// `header`: of the data; its id stands in the index too. kCorruption when that of the parent is damaged.
Result<IndexedSummary> ExportIndexed(storage::Backend& backend, CheckpointHeader header,
                                     const IndexedExportOptions& options, const IndexedSinks& sinks);

}  // namespace holdfast::durability
