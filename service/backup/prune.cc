#include "service/backup/prune.h"

#include "service/backup/removal.h"

namespace holdfast::backup {
namespace {

// Beyond a run: how much later a remover may still act that has looked at its clock before, and by how much the
// target's clock may differ.
constexpr std::chrono::minutes kMarksOutlive{1};

}  // namespace

Result<std::vector<std::string>> Prune(const Catalogue& catalogue, const PruneOptions& options, Timestamp now,
                                       const std::set<std::string>& in_use, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<StoredBackup> all, catalogue.List(deadline));
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
  const std::vector<Status> removed = RemoveUnused(catalogue, expendable, all, deadline);
  std::vector<std::string> gone;
  for (std::size_t i = 0; i < expendable.size(); ++i) {
    const ErrorCode code = removed[i].ok() ? ErrorCode::kNotFound : removed[i].error().code();
    // Another instance was quicker, or has just made an increment on it.
    if (code != ErrorCode::kNotFound && code != ErrorCode::kFailedPrecondition) return removed[i].error();
    if (code == ErrorCode::kNotFound) gone.push_back(expendable[i]);
  }
  HOLDFAST_RETURN_IF_ERROR(WithdrawMarks(catalogue, all, now - options.unfinished_for - kMarksOutlive, deadline));
  return gone;
}

}  // namespace holdfast::backup
