#include "operator/controllers/storagebackup/verdict.h"

namespace holdfast::storagebackup {
namespace {

constexpr std::size_t kMaximumMessage = 4096;

bool IsTrue(const std::vector<api::Condition>& conditions, const char* type) {
  const api::Condition* condition = api::FindCondition(conditions, type);
  return condition != nullptr && condition->status == api::ConditionStatus::kTrue;
}

}  // namespace

void SetConditions(const Said& said, Pace pace, End end, std::int64_t generation, Timestamp now,
                   std::vector<api::Condition>* conditions) {
  const auto set = [&](const char* type, bool holds, const Said& why) {
    api::SetCondition(conditions,
                      {.type = type,
                       .status = holds ? api::ConditionStatus::kTrue : api::ConditionStatus::kFalse,
                       .reason = why.reason,
                       .message = why.message.substr(0, kMaximumMessage),
                       .observed_generation = generation},
                      now);
  };
  const Said not_yet{"NotYet", "it is not done"};
  const Said as_expected{"AsExpected", "nothing has failed"};
  set(kProgressingCondition, end == End::kNone && pace != Pace::kPerson, said);
  set(kCompleteCondition, end == End::kComplete, end == End::kComplete ? said : not_yet);
  set(kFailedCondition, end == End::kFailed, end == End::kFailed ? said : as_expected);
}

bool IsOver(const std::vector<api::Condition>& conditions) {
  return IsTrue(conditions, kCompleteCondition) || IsTrue(conditions, kFailedCondition);
}

}  // namespace holdfast::storagebackup
