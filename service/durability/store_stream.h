// What a checkpoint of a store holds, out of a snapshot of its backend.
#pragma once

#include <string>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/durability/checkpoint_writer.h"
#include "service/storage/backend.h"

namespace holdfast::durability {

// A whole checkpoint, header and footer included, in memory that does not grow with the store. Fills in what only the
// backend knows of `header`: its kind and the consistency. Errors are those of backend and sink.
Result<CheckpointSummary> WriteStore(storage::Backend& backend, const std::string& store, ByteSink sink,
                                     const WriterOptions& options, Deadline deadline, CheckpointHeader* header);

}  // namespace holdfast::durability
