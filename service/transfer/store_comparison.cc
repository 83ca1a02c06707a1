#include "service/transfer/store_comparison.h"

#include <thread>
#include <utility>

#include "service/dual_write/comparison.h"
#include "service/transfer/page_walk.h"

namespace holdfast::transfer {

using dual_write::Comparison;

Result<std::optional<Difference>> CompareStores(storage::Backend& source, storage::Backend& target,
                                                const storage::KeyRange& range,
                                                const std::function<void(std::uint64_t)>& compared,
                                                const BackoffPolicy& pauses) {
  const auto scan_target = [&](const storage::ScanRequest& request) {
    return WithPatience(pauses, [&] { return target.Scan(request, Deadline::After(kPatience)); });
  };
  PageWalk walk(source, range, "", pauses);
  std::string cursor;
  std::uint64_t keys = 0;
  int looks = 0;
  for (bool complete = false; !complete;) {
    HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, walk.Next());
    HOLDFAST_ASSIGN_OR_RETURN(
        Comparison comparison,
        dual_write::ComparePage(page, range, cursor, target.limits().max_scan_entries, scan_target));
    const bool differs = !comparison.different.empty();
    if (differs && ++looks == kLooks) {
      return std::optional(Difference{std::move(cursor), comparison.complete ? "" : comparison.reached,
                                      std::move(comparison.different)});
    }
    if (differs) {
      std::this_thread::sleep_for(Backoff(pauses).Next());
      walk.BackTo(cursor);
      continue;
    }
    looks = 0;
    keys += comparison.keys;
    complete = comparison.complete;
    if (!comparison.reached.empty()) cursor = std::move(comparison.reached);
    // The target had more there than a page holds, or something behind the source's end.
    if (!complete) walk.BackTo(cursor);
    compared(keys);
  }
  return std::optional<Difference>();
}

}  // namespace holdfast::transfer
