// StorageMigration as C++ data: a store that is to be moved to another backend while it is in use, once.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/api/v1/condition.h"
#include "operator/api/v1/field.h"

namespace holdfast::api {

inline constexpr char kStorageMigrationKind[] = "StorageMigration";

enum class CutOver {
  kAutomatic,  // when the comparison has found nothing different
  kManual,     // reads are switched, and then it waits until the field says otherwise
  kApproved,   // whatever the comparison has found and copied again
};

struct StorageMigrationSpec {
  std::string cluster;  // in the same namespace
  std::string store;
  std::string to;                    // a backend of that cluster
  std::int64_t keys_per_second = 0;  // 0 = as many as it can
  std::int64_t keys_at_once = 200;
  CutOver cut_over = CutOver::kAutomatic;
  bool abort = false;
  std::chrono::microseconds deadline{};  // from the object's creation
};

// What is written before it is done, and what was found out.
struct StorageMigrationStatus {
  std::int64_t observed_generation = 0;
  std::string from = {};                        // the backend that has, or had, the entries
  std::optional<std::string> former_id = {};    // of the service's migration before this one; set before `start`
  std::string id = {};                          // the service's, once it was started
  std::string service_phase = {};               // as the service spells it; empty before it was asked
  std::string ending = {};                      // why it is aborted; never taken back
  std::optional<Timestamp> cut_over_time = {};  // when the service was first seen cut over
  std::int64_t total = 0;                       // keys, as the service counts them
  std::int64_t copied = 0;
  std::int64_t compared = 0;
  std::int64_t differences = 0;
  std::vector<Condition> conditions = {};
};

struct StorageMigration {
  std::string ns;
  std::string name;
  std::string uid;
  std::int64_t generation = 0;
  Timestamp created{};
  bool being_deleted = false;
  StorageMigrationSpec spec;
  StorageMigrationStatus status;
};

struct ParsedStorageMigration {
  // Set exactly when `errors` is empty.
  std::optional<StorageMigration> migration;
  std::vector<FieldError> errors;
};

// With defaults; everything that is wrong is reported at once. `old`: as for ParseStorageCluster. A status that makes
// no sense counts as absent.
ParsedStorageMigration ParseStorageMigration(const Json& object, const Json* old = nullptr);
Json StatusToJson(const StorageMigrationStatus& status);

// The tree that everything else is made from.
const Field& StorageMigrationFields();

}  // namespace holdfast::api
