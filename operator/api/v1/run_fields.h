// Fields that StorageBackup and StorageRestore have in common: both are one thing that is done once.
#pragma once

#include <string>
#include <vector>

#include "operator/api/v1/field.h"

namespace holdfast::api {

Field RunClusterField();
Field RunStoreField(std::string description);
Field RunDeadlineField(std::string description);
// Of a backup that is to be made: full or incremental; with a drill or not.
Field BackupKindField();
Field BackupDrillField();
// None of these members of the spec may change, come or go.
Rule RunIsImmutableRule(const std::string& kind, std::vector<std::string> members);

// Of the status.
Field RunText(const char* name, const char* description);
Field RunNumber(const char* name, const char* description);
Field RunTime(const char* name, const char* description);

}  // namespace holdfast::api
