// Removes the backups that retention does not keep, what is left of those that were never finished, and the marks that
// removals left that ended in the middle (removal.h).
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "service/backup/catalogue.h"
#include "service/backup/retention.h"

namespace holdfast::backup {

struct PruneOptions {
  RetentionOptions retention;
  // What has no manifest is left of an unfinished one when nothing was written to it for so long: another instance may
  // be writing it. No run takes longer than this, and no removal.
  std::chrono::microseconds unfinished_for{};
};

// The ids of what is gone. `in_use`: stay, and what they build on. A damaged one stays too: somebody has to look at it.
// On an error some may be gone already.
Result<std::vector<std::string>> Prune(const Catalogue& catalogue, const PruneOptions& options, Timestamp now,
                                       const std::set<std::string>& in_use, Deadline deadline);

}  // namespace holdfast::backup
