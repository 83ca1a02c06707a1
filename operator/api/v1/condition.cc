#include "operator/api/v1/condition.h"

#include <chrono>

#include "base/time/duration.h"

namespace holdfast::api {
namespace {

std::string_view StatusText(ConditionStatus status) {
  switch (status) {
    case ConditionStatus::kTrue:
      return "True";
    case ConditionStatus::kFalse:
      return "False";
    case ConditionStatus::kUnknown:
      break;
  }
  return "Unknown";
}

std::string Text(const nlohmann::json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

}  // namespace

void SetCondition(std::vector<Condition>* conditions, Condition condition, Timestamp now) {
  for (Condition& existing : *conditions) {
    if (existing.type != condition.type) continue;
    const bool flipped = existing.status != condition.status || existing.last_transition_time.empty();
    condition.last_transition_time =
        flipped ? FormatTimestamp(std::chrono::floor<std::chrono::seconds>(now)) : existing.last_transition_time;
    existing = std::move(condition);
    return;
  }
  condition.last_transition_time = FormatTimestamp(std::chrono::floor<std::chrono::seconds>(now));
  conditions->push_back(std::move(condition));
}

const Condition* FindCondition(const std::vector<Condition>& conditions, std::string_view type) {
  for (const Condition& condition : conditions) {
    if (condition.type == type) return &condition;
  }
  return nullptr;
}

nlohmann::json ConditionsToJson(const std::vector<Condition>& conditions) {
  nlohmann::json list = nlohmann::json::array();
  for (const Condition& condition : conditions) {
    list.push_back({{"type", condition.type},
                    {"status", StatusText(condition.status)},
                    {"reason", condition.reason},
                    {"message", condition.message},
                    {"observedGeneration", condition.observed_generation},
                    {"lastTransitionTime", condition.last_transition_time}});
  }
  return list;
}

std::vector<Condition> ConditionsFromJson(const nlohmann::json& list) {
  std::vector<Condition> conditions;
  if (!list.is_array()) return conditions;
  for (const nlohmann::json& entry : list) {
    if (!entry.is_object() || Text(entry, "type").empty()) continue;
    Condition condition;
    condition.type = Text(entry, "type");
    const std::string status = Text(entry, "status");
    if (status == "True") condition.status = ConditionStatus::kTrue;
    if (status == "False") condition.status = ConditionStatus::kFalse;
    condition.reason = Text(entry, "reason");
    condition.message = Text(entry, "message");
    condition.last_transition_time = Text(entry, "lastTransitionTime");
    const auto generation = entry.find("observedGeneration");
    if (generation != entry.end() && generation->is_number_integer()) {
      condition.observed_generation = generation->get<std::int64_t>();
    }
    conditions.push_back(std::move(condition));
  }
  return conditions;
}

}  // namespace holdfast::api
