#include "service/backup/removal.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log/log.h"
#include "service/backup/hex.h"
#include "service/backup/object_cipher.h"

namespace holdfast::backup {
namespace {

// Sets the mark of one remover apart from those of others.
constexpr std::size_t kMarkBytes = 8;
// Of a mark, also when there is no time left for more.
constexpr std::chrono::seconds kWithdrawing{10};

bool BuildsOn(const StoredBackup& one, const std::string& id) {
  return !one.damage && one.manifest.parent && one.manifest.parent->id == id;
}

Error InUse(const std::string& id, const std::string& child) {
  return {ErrorCode::kFailedPrecondition,
          fmt::format("backup {} is an increment on backup {} and cannot be restored without it: delete {} first",
                      child, id, child)};
}

class Removal {
 public:
  Removal(const Catalogue& catalogue, const std::vector<std::string>& ids, Deadline deadline)
      : catalogue_(catalogue),
        deadline_(deadline),
        mark_(std::string(kDoomedPrefix) + ToHex(RandomBytes(kMarkBytes))),
        ids_(ids),
        statuses_(ids.size()),
        marked_(ids.size()) {}

  void Mark(std::vector<StoredBackup> all) {
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      statuses_[i] = MarkOne(i, all);
      if (statuses_[i].ok()) Forget(ids_[i], &all);
    }
  }

  void Finish() {
    if (std::find(marked_.begin(), marked_.end(), true) == marked_.end()) return;
    auto now = catalogue_.List(deadline_);
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      if (!marked_[i]) continue;
      statuses_[i] = now.ok() ? Unused(ids_[i], *now) : Status(now.error());
      if (!statuses_[i].ok()) {
        Withdraw(ids_[i]);
        continue;
      }
      statuses_[i] = RemoveMarked(ids_[i]);
      if (statuses_[i].ok()) Forget(ids_[i], &*now);
    }
  }

  std::vector<Status> Outcome() && { return std::move(statuses_); }

 private:
  static void Forget(const std::string& id, std::vector<StoredBackup>* all) {
    std::erase_if(*all, [&id](const StoredBackup& one) { return one.id == id; });
  }

  static Status Unused(const std::string& id, const std::vector<StoredBackup>& all) {
    const auto child =
        std::find_if(all.begin(), all.end(), [&id](const StoredBackup& one) { return BuildsOn(one, id); });
    return child == all.end() ? Status() : Status(InUse(id, child->id));
  }

  // Ok too when it was removed at once.
  Status MarkOne(std::size_t i, const std::vector<StoredBackup>& all) {
    const std::string& id = ids_[i];
    if (!IsName(id)) return catalogue_.Remove(id, deadline_);
    HOLDFAST_ASSIGN_OR_RETURN(const auto objects, catalogue_.target().List(id + '/', deadline_));
    const bool manifest = std::any_of(objects.begin(), objects.end(),
                                      [](const StoredObject& one) { return one.name.object == kManifestObject; });
    // What has none is no parent, whoever was begun on it.
    if (!manifest) return catalogue_.Remove(id, deadline_);
    HOLDFAST_RETURN_IF_ERROR(Unused(id, all));
    Status put = catalogue_.target().Put({id, mark_}, "is being removed\n", deadline_);
    if (!put.ok()) Withdraw(id);
    marked_[i] = put.ok();
    return put;
  }

  // Behind a manifest whose removal has failed it stays: the target may still do it.
  Status RemoveMarked(const std::string& id) {
    Target& target = catalogue_.target();
    HOLDFAST_RETURN_IF_ERROR(target.Delete({id, std::string(kManifestObject)}, deadline_));
    HOLDFAST_ASSIGN_OR_RETURN(const auto objects, target.List(id + '/', deadline_));
    for (const StoredObject& object : objects) {
      // Those of other removers keep the id from being used anew while these may still remove the manifest.
      if (object.name.object.starts_with(kDoomedPrefix)) continue;
      HOLDFAST_RETURN_IF_ERROR(target.Delete(object.name, deadline_));
    }
    return target.Delete({id, mark_}, deadline_);
  }

  void Withdraw(const std::string& id) {
    const Status withdrawn = catalogue_.target().Delete({id, mark_}, Deadline::After(kWithdrawing));
    if (withdrawn.ok()) return;
    log::Warn("the mark of a removal stays beside a backup, and nothing is built on it until a prune takes it away",
              {{"backup", id}, {"error", withdrawn.error().ToString()}});
  }

  const Catalogue& catalogue_;
  const Deadline deadline_;
  const std::string mark_;
  const std::vector<std::string>& ids_;
  std::vector<Status> statuses_;
  std::vector<bool> marked_;
};

}  // namespace

std::vector<Status> RemoveUnused(const Catalogue& catalogue, const std::vector<std::string>& ids,
                                 const std::vector<StoredBackup>& all, Deadline deadline) {
  Removal removal(catalogue, ids, deadline);
  removal.Mark(all);
  removal.Finish();
  return std::move(removal).Outcome();
}

Status WithdrawMarks(const Catalogue& catalogue, const std::vector<StoredBackup>& all, Timestamp before,
                     Deadline deadline) {
  for (const StoredBackup& one : all) {
    for (const StoredObject& mark : one.doomed) {
      if (mark.modified_at < before) HOLDFAST_RETURN_IF_ERROR(catalogue.target().Delete(mark.name, deadline));
    }
  }
  return {};
}

}  // namespace holdfast::backup
