// Whether two backends have the same in a range, page by page by the hash of what stands there.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "service/storage/types.h"

namespace holdfast::dual_write {

struct Comparison {
  std::uint64_t keys = 0;              // of the source, that were compared
  std::vector<std::string> different;  // one has them and the other not, or with other things
  std::string reached;                 // the last key that was compared; empty: there was none
  bool complete = false;               // nothing lies behind it in the source or in the target
};

using ScanOfTarget = std::function<Result<storage::ScanPage>(const storage::ScanRequest& request)>;

// Compares `page`, what the source has in `range` strictly behind `after` (empty: from the beginning), with what `scan`
// finds there. `most`: entries that a page of the target may have; where it has more, only a part is compared, and the
// next page of the source has to begin behind `reached`. Values of the page are needed. The error is that of `scan`.
Result<Comparison> ComparePage(const storage::ScanPage& page, const storage::KeyRange& range, const std::string& after,
                               std::size_t most, const ScanOfTarget& scan);

}  // namespace holdfast::dual_write
