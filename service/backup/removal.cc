#include "service/backup/removal.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::backup {
namespace {

bool BuildsOn(const StoredBackup& one, const std::string& id) {
  return !one.damage && one.manifest.parent && one.manifest.parent->id == id;
}

Error InUse(const std::string& id, const std::string& child) {
  return {ErrorCode::kFailedPrecondition,
          fmt::format("backup {} is an increment on backup {} and cannot be restored without it: delete {} first",
                      child, id, child)};
}

// The id of one that is not among `all` and builds on it; empty: there is none.
Result<std::string> NewChild(const Catalogue& catalogue, const std::string& id, const std::vector<StoredBackup>& all,
                             Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto objects, catalogue.target().List("", deadline));
  for (const StoredObject& object : objects) {
    const bool known = std::any_of(all.begin(), all.end(),
                                   [&object](const StoredBackup& one) { return one.id == object.name.backup; });
    if (known || object.name.object != kManifestObject) continue;
    const auto stored = catalogue.Get(object.name.backup, deadline);
    if (!stored.ok() && stored.error().code() != ErrorCode::kNotFound) return stored.error();
    if (stored.ok() && BuildsOn(*stored, id)) return stored->id;
  }
  return std::string();
}

}  // namespace

Status RemoveUnused(const Catalogue& catalogue, const std::string& id, const std::vector<StoredBackup>& all,
                    Deadline deadline) {
  const auto child = std::find_if(all.begin(), all.end(), [&id](const StoredBackup& one) { return BuildsOn(one, id); });
  if (child != all.end()) return InUse(id, child->id);
  const ObjectName name{id, std::string(kManifestObject)};
  if (!IsName(id)) return catalogue.Remove(id, deadline);
  const auto manifest = catalogue.target().Get(name, kMaxManifestBytes, deadline);
  // What has no manifest, or one that is too long to be read, is no parent.
  const bool none = !manifest.ok() && (manifest.error().code() == ErrorCode::kNotFound ||
                                       manifest.error().code() == ErrorCode::kResourceExhausted);
  if (!manifest.ok() && !none) return manifest.error();
  if (manifest.ok()) {
    HOLDFAST_RETURN_IF_ERROR(catalogue.target().Delete(name, deadline));
    const auto born = NewChild(catalogue, id, all, deadline);
    if (!born.ok() || !born->empty()) {
      HOLDFAST_RETURN_IF_ERROR(catalogue.target().Put(name, *manifest, deadline));
      return born.ok() ? InUse(id, *born) : born.error();
    }
  }
  const Status removed = catalogue.Remove(id, deadline);
  // There may have been nothing but the manifest.
  const bool gone = manifest.ok() && !removed.ok() && removed.error().code() == ErrorCode::kNotFound;
  return gone ? Status() : removed;
}

}  // namespace holdfast::backup
