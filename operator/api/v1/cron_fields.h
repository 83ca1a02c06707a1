// Fields that say when something is done, as a CronJob has them. Whether there is such a day, and such a time zone, CEL
// cannot tell: the condition BackupHealthy does.
#pragma once

#include <string>

#include "operator/api/v1/field.h"

namespace holdfast::api {

// `by_default`: null = none.
Field CronField(std::string name, std::string description, Json by_default = nullptr);
// "timeZone", UTC by default.
Field TimeZoneField();

}  // namespace holdfast::api
