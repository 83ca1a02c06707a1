// What the readers of StorageMigration, StorageBackup and StorageRestore have in common. Nothing here throws: what is
// not there, or of another type, counts as absent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/api/v1/field.h"

namespace holdfast::api {

// Of the status of StorageBackups and StorageRestores.
inline constexpr char kPhasePending[] = "Pending";
inline constexpr char kPhaseRunning[] = "Running";
inline constexpr char kPhaseVerifying[] = "Verifying";
inline constexpr char kPhaseSucceeded[] = "Succeeded";
inline constexpr char kPhaseFailed[] = "Failed";

struct ObjectMetadata {
  std::string ns;
  std::string name;
  std::string uid;
  std::int64_t generation = 0;
  Timestamp created{};
  bool being_deleted = false;
};

std::string TextOf(const Json& object, const char* name);     // "" = absent
std::int64_t NumberOf(const Json& object, const char* name);  // 0 = absent
std::optional<Timestamp> TimeOf(const Json& object, const char* name);
// RFC 3339, when there is one.
void PutTime(const char* name, const std::optional<Timestamp>& time, Json* object);
// When it is not empty.
void PutText(const char* name, const std::string& text, Json* object);

ObjectMetadata MetadataOf(const Json& object);

// spec with its defaults, after apiVersion, kind and everything that `fields` says of it were checked; null when there
// are errors. `old`: the object as it was before an update, for the rules about change; or nullptr.
Json CheckedSpec(const Field& fields, const char* kind, const Json& object, const Json* old,
                 std::vector<FieldError>* errors);

}  // namespace holdfast::api
