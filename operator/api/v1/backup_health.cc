#include "operator/api/v1/backup_health.h"

#include <utility>
#include <vector>

#include "operator/api/v1/backup_schedule.h"
#include "operator/api/v1/condition.h"
#include "operator/api/v1/custom_object.h"

namespace holdfast::api {
namespace {

struct Part {
  const char* list;
  const char* key;  // of a row: what it is about
  const char* what;
};
constexpr Part kParts[] = {{"backups", "backend", "backend "}, {kBackupSchedulesStatus, "name", "schedule "}};

}  // namespace

void SetBackupHealthy(std::int64_t generation, Timestamp now, Json* status) {
  Condition condition{.type = kBackupHealthyCondition,
                      .status = ConditionStatus::kTrue,
                      .reason = "BackedUp",
                      .message = "every backend and store that is to have backups has them, up to the last tick",
                      .observed_generation = generation};
  bool any = false;
  for (const Part& part : kParts) {
    for (const Json& row : status->value(part.list, Json::array())) {
      if (!row.is_object()) continue;
      any = true;
      if (row.value("healthy", Json()) == true || condition.status == ConditionStatus::kFalse) continue;
      condition.status = ConditionStatus::kFalse;
      condition.reason = TextOf(row, "reason");
      if (condition.reason.empty()) condition.reason = "Unknown";
      condition.message = part.what + TextOf(row, part.key) + ": " + TextOf(row, "message");
    }
  }
  std::vector<Condition> conditions = ConditionsFromJson(status->value("conditions", Json::array()));
  if (any) {
    SetCondition(&conditions, std::move(condition), now);
  } else {
    std::erase_if(conditions, [](const Condition& each) { return each.type == kBackupHealthyCondition; });
  }
  (*status)["conditions"] = ConditionsToJson(conditions);
}

}  // namespace holdfast::api
