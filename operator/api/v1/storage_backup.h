// StorageBackup as C++ data: one backup of one store, made by the cluster's service.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/api/v1/condition.h"
#include "operator/api/v1/custom_object.h"
#include "operator/api/v1/field.h"

namespace holdfast::api {

inline constexpr char kStorageBackupKind[] = "StorageBackup";

struct StorageBackupSpec {
  std::string cluster;  // in the same namespace
  std::string store;
  bool incremental = false;
  bool drill = false;
  std::chrono::microseconds deadline{};  // from the object's creation
};

struct StorageBackupStatus {
  std::int64_t observed_generation = 0;
  std::string phase = {};
  std::string message = {};
  std::string id = {};      // the service's name of the backup; set before it is asked for
  std::string run = {};     // the service's run that was begun last
  std::string pod = {};     // whose run that is; empty = not known
  std::string kind = {};    // Full or Incremental, as the service made it
  std::string parent = {};  // the backup that an incremental one builds on
  std::int64_t entries = 0;
  std::int64_t bytes = 0;
  std::optional<Timestamp> started = {};
  std::optional<Timestamp> completed = {};
  std::optional<Timestamp> verified = {};
  std::optional<Timestamp> drilled = {};
  std::vector<Condition> conditions = {};
};

struct StorageBackup {
  ObjectMetadata metadata;
  StorageBackupSpec spec;
  StorageBackupStatus status;
};

struct ParsedStorageBackup {
  // Set exactly when `errors` is empty.
  std::optional<StorageBackup> backup;
  std::vector<FieldError> errors;
};

// As ParseStorageMigration.
ParsedStorageBackup ParseStorageBackup(const Json& object, const Json* old = nullptr);
Json StatusToJson(const StorageBackupStatus& status);

const Field& StorageBackupFields();

}  // namespace holdfast::api
