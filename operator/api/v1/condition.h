// Conditions as metav1.Condition defines them: lastTransitionTime moves only when the status flips, and
// observedGeneration says for which spec the rest was found.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/time/clock.h"

namespace holdfast::api {

enum class ConditionStatus { kTrue, kFalse, kUnknown };

struct Condition {
  std::string type;
  ConditionStatus status = ConditionStatus::kUnknown;
  std::string reason = {};   // CamelCase, never empty
  std::string message = {};  // one sentence; no secret
  std::int64_t observed_generation = 0;
  std::string last_transition_time = {};  // RFC 3339, whole seconds; filled in by SetCondition

  friend bool operator==(const Condition&, const Condition&) = default;
};

// Adds `condition` or replaces the one of its type. The time is `now` when the status is new or has flipped, otherwise
// what it was. Order of first appearance is kept, so that an unchanged status stays byte for byte the same.
void SetCondition(std::vector<Condition>* conditions, Condition condition, Timestamp now);

// nullptr when there is none of that type.
const Condition* FindCondition(const std::vector<Condition>& conditions, std::string_view type);

nlohmann::json ConditionsToJson(const std::vector<Condition>& conditions);
// Entries that are no conditions are left out: a status somebody damaged is written anew, not obeyed.
std::vector<Condition> ConditionsFromJson(const nlohmann::json& list);

}  // namespace holdfast::api
