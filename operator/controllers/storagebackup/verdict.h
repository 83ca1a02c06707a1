// What the decisions about StorageBackups and about StorageRestores have in common.
#pragma once

#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/api/v1/condition.h"
#include "operator/api/v1/custom_object.h"

namespace holdfast::storagebackup {

// What goes into a condition.
struct Said {
  std::string reason;   // CamelCase
  std::string message;  // names the object and the remedy
  friend bool operator==(const Said&, const Said&) = default;
};

enum class Pace {
  kRest,    // it is over
  kPerson,  // waits for somebody
  kFollow,  // the service is at work
  kNow,     // a step follows the one before
};

enum class End {
  kNone,
  kComplete,
  kFailed,
};

inline constexpr char kCompleteCondition[] = "Complete";
inline constexpr char kFailedCondition[] = "Failed";
inline constexpr char kProgressingCondition[] = "Progressing";

// One of them, once it is over, says why; Progressing says what is being done, or that somebody has to act.
void SetConditions(const Said& said, Pace pace, End end, std::int64_t generation, Timestamp now,
                   std::vector<api::Condition>* conditions);

// Whether it has ended, one way or the other: nothing is done for it any more.
bool IsOver(const std::vector<api::Condition>& conditions);

}  // namespace holdfast::storagebackup
