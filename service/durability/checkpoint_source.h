// The bytes of a checkpoint of entries that come in their order, as they are asked for.
#pragma once

#include <functional>
#include <vector>

#include "service/durability/checkpoint_reader.h"
#include "service/durability/checkpoint_writer.h"

namespace holdfast::durability {

// The next entries, in the order of their keys; none: the end.
using EntryPages = std::function<Result<std::vector<storage::KeyedEntry>>()>;

// `accept` is asked before the end is given out: its error is that of reading.
ByteSource CheckpointOf(EntryPages pages, CheckpointHeader header, const WriterOptions& options,
                        std::function<Status()> accept);

}  // namespace holdfast::durability
