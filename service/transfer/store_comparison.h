// Whether two stores have the same, range by range by the hash of what stands there (dual_write/comparison.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "service/storage/backend.h"
#include "service/transfer/patience.h"

namespace holdfast::transfer {

// The first range in which they differ.
struct Difference {
  std::string behind;             // the range begins behind this key; empty: at the beginning
  std::string last;               // and ends with it; empty: nothing comes behind it
  std::vector<std::string> keys;  // that differ, or that one has alone; in no order
};

// Ends at the first difference; nullopt: there is none. A range that differs is looked at again, up to kLooks times:
// entries expire and are written meanwhile. `compared` hears how many keys were compared so far.
inline constexpr int kLooks = 3;
Result<std::optional<Difference>> CompareStores(storage::Backend& source, storage::Backend& target,
                                                const storage::KeyRange& range,
                                                const std::function<void(std::uint64_t)>& compared,
                                                const BackoffPolicy& pauses = kPauses);

}  // namespace holdfast::transfer
