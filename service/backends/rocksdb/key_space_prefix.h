// The prefix that RocksDB's filters know besides whole keys: a key space with its room, "store \\0 namespace \\0 room".
// Keys outside any space have none and are always looked for.
#pragma once

#include <rocksdb/slice_transform.h>

#include <memory>

#include "service/storage/types.h"

namespace holdfast::storage {

std::shared_ptr<const rocksdb::SliceTransform> KeySpaceTransform();

// Whether every key there can be in the range has the prefix that its start has; only then may a scan trust the
// filters.
bool LiesInOneSpace(const KeyRange& range);

}  // namespace holdfast::storage
