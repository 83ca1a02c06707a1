// The place where the backups of another deployment lie (backups.source). They are that deployment's own: here they are
// read, and nothing there is ever made, marked or removed, which is so whatever is asked of what is opened here.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/time/clock.h"
#include "service/backup/backup_options.h"
#include "service/backup/catalogue.h"
#include "service/backup/change_archive.h"

namespace holdfast::backup {

// One store's part of it. Thread-safe.
struct SourceStore {
  std::string name;
  Catalogue catalogue;
  ChangeArchive changes;

  // As Catalogue::List; kNotFound: there are none, which is the same as that there is no such store.
  Result<std::vector<StoredBackup>> List(Deadline deadline) const;
};

// Thread-safe.
class SourcePlace {
 public:
  // Of what stands below `part` there; it is wrapped, so it may be one that could write.
  using OpenTarget = std::function<std::unique_ptr<Target>(const std::string& part)>;

  // `options`: the store's, with the source's. `clock` and `registry` outlive it, and what Open gives.
  SourcePlace(OpenTarget open, const BackupOptions& options, const Clock& clock, metrics::Registry& registry);

  // Nothing is read yet. kInvalidArgument: it can be no store's name.
  Result<std::shared_ptr<SourceStore>> Open(const std::string& store) const;

 private:
  const OpenTarget open_;
  const BackupOptions options_;
  const Clock& clock_;
  metrics::Registry& registry_;
};

}  // namespace holdfast::backup
