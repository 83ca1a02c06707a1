// The memory backend as it was at one moment. Nothing is copied at that moment: the shards are locked together for as
// long as it takes to register, and writers keep what they replace until it has been read. So memory grows with what is
// changed while a snapshot is read, not with what there is.
#pragma once

#include <atomic>
#include <memory>
#include <span>

#include "service/backends/memory/shard.h"
#include "service/storage/backend.h"

namespace holdfast::storage {

// `shards` and `closed` outlive it; once `closed` it gives kUnavailable.
std::unique_ptr<Snapshot> OpenMemorySnapshot(std::span<Shard> shards, const KeyRange& range, const Clock& clock,
                                             const std::atomic<bool>& closed);

}  // namespace holdfast::storage
