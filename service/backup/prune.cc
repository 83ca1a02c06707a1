#include "service/backup/prune.h"

namespace holdfast::backup {

Result<std::vector<std::string>> Prune(const Catalogue& catalogue, const PruneOptions& options, Timestamp now,
                                       const std::set<std::string>& in_use, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<StoredBackup> all, catalogue.List(deadline));
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<UnfinishedBackup> unfinished, catalogue.ListUnfinished(deadline));
  std::vector<Retained> retained;
  for (const StoredBackup& stored : all) {
    if (!stored.damage) {
      retained.push_back({stored.id, stored.manifest.created_at, stored.verified_at.has_value(),
                          stored.drill && stored.drill->succeeded()});
    }
  }
  std::vector<std::string> expendable = Expendable(retained, options.retention);
  for (const UnfinishedBackup& one : unfinished) {
    if (now - one.modified_at > options.unfinished_for) expendable.push_back(one.id);
  }
  std::erase_if(expendable, [&in_use](const std::string& id) { return in_use.count(id) > 0; });
  for (const std::string& id : expendable) {
    const Status removed = catalogue.Remove(id, deadline);
    // Another instance was quicker.
    if (!removed.ok() && removed.error().code() != ErrorCode::kNotFound) return removed.error();
  }
  return expendable;
}

}  // namespace holdfast::backup
