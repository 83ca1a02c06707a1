// StorageRestore as C++ data: a store that is made what one of its backups holds, or what it was at a time, once.
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

inline constexpr char kStorageRestoreKind[] = "StorageRestore";

struct StorageRestoreSpec {
  std::string cluster;  // in the same namespace
  std::string store;
  std::string backup;                    // a StorageBackup of the same namespace; empty = `id`
  std::string id;                        // the service's name of a backup
  std::optional<Timestamp> to = {};      // or of no backup by name: what the store was then
  std::string source_store = {};         // of the cluster's spec.backups.source; empty = its own backups of `store`
  std::chrono::microseconds deadline{};  // from the object's creation
};

struct StorageRestoreStatus {
  std::int64_t observed_generation = 0;
  std::string phase = {};  // as of StorageBackups, but for Verifying
  std::string message = {};
  std::string id = {};  // of the backup; with `to` the one that the service has begun with
  // When the service was told; written before it is, and never told again once it is there.
  std::optional<Timestamp> started = {};
  std::string run = {};  // the service's, once it has answered
  std::string pod = {};  // whose run that is; empty = not known
  std::optional<Timestamp> completed = {};
  std::int64_t restored = 0;
  std::int64_t written = 0;
  std::int64_t deleted = 0;
  std::int64_t expired = 0;
  std::string undo = {};  // the checkpoint with what the store held before
  std::vector<Condition> conditions = {};
};

struct StorageRestore {
  ObjectMetadata metadata;
  StorageRestoreSpec spec;
  StorageRestoreStatus status;
};

struct ParsedStorageRestore {
  // Set exactly when `errors` is empty.
  std::optional<StorageRestore> restore;
  std::vector<FieldError> errors;
};

// As ParseStorageMigration.
ParsedStorageRestore ParseStorageRestore(const Json& object, const Json* old = nullptr);
Json StatusToJson(const StorageRestoreStatus& status);

const Field& StorageRestoreFields();

}  // namespace holdfast::api
