// Scans over all shards: each is ordered by itself, a page is their merge.
#pragma once

#include <span>

#include "service/backends/memory/shard.h"
#include "service/storage/backend.h"

namespace holdfast::storage {

// The page `request` asks for, as it stands at `now`. Locks one shard at a time. kDeadlineExceeded.
Result<ScanPage> MergeShards(std::span<const Shard> shards, const ScanRequest& request, const Limits& limits,
                             Timestamp now, Deadline deadline);

}  // namespace holdfast::storage
