// What is shown of a backup that lies on a target.
#pragma once

#include <vector>

#include "service/backup/catalogue.h"
#include "service/storage/store_backups.h"

namespace holdfast::backup {

storage::BackupInfo InfoOf(const StoredBackup& stored);
std::vector<storage::BackupInfo> InfosOf(const std::vector<StoredBackup>& all);

}  // namespace holdfast::backup
