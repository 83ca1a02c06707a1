#include "service/backup/prune.h"

#include "service/backup/removal.h"

namespace holdfast::backup {

Result<std::vector<std::string>> Prune(const Catalogue& catalogue, const PruneOptions& options, Timestamp now,
                                       const std::set<std::string>& in_use, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(std::vector<StoredBackup> all, catalogue.List(deadline));
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<UnfinishedBackup> unfinished, catalogue.ListUnfinished(deadline));
  std::vector<Retained> retained;
  for (const StoredBackup& stored : all) {
    if (!stored.damage) {
      retained.push_back({stored.id, stored.manifest.created_at, stored.verified_at.has_value(),
                          stored.drill && stored.drill->succeeded(), in_use.count(stored.id) > 0,
                          stored.manifest.parent ? stored.manifest.parent->id : "", stored.manifest.link});
    }
  }
  std::vector<std::string> expendable = Expendable(retained, options.retention);
  for (const UnfinishedBackup& one : unfinished) {
    const bool left = now - one.modified_at > options.unfinished_for && in_use.count(one.id) == 0;
    if (left) expendable.push_back(one.id);
  }
  std::vector<std::string> gone;
  for (const std::string& id : expendable) {
    const Status removed = RemoveUnused(catalogue, id, all, deadline);
    const ErrorCode code = removed.ok() ? ErrorCode::kNotFound : removed.error().code();
    // Another instance was quicker, or has just made an increment on it.
    if (code != ErrorCode::kNotFound && code != ErrorCode::kFailedPrecondition) return removed.error();
    if (code == ErrorCode::kFailedPrecondition) continue;
    std::erase_if(all, [&id](const StoredBackup& one) { return one.id == id; });
    gone.push_back(id);
  }
  return gone;
}

}  // namespace holdfast::backup
