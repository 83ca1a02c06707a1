#include "operator/api/v1/cron_fields.h"

#include <utility>

namespace holdfast::api {
namespace {

// Five fields, or one of the names.
constexpr char kCronPattern[] =
    "^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[-0-9A-Za-z*/,]+( [-0-9A-Za-z*/,]+){4})$";

}  // namespace

Field CronField(std::string name, std::string description, Json by_default) {
  return {.name = std::move(name),
          .type = FieldType::kString,
          .description = std::move(description),
          .default_value = std::move(by_default),
          .max_length = 128,
          .pattern = kCronPattern,
          .pattern_words = "five fields of cron with one blank between, or @daily and the like"};
}

Field TimeZoneField() {
  return {.name = "timeZone",
          .type = FieldType::kString,
          .description = "Whose clock the ticks are of: UTC, or a name such as Europe/Berlin.",
          .default_value = "UTC",
          .max_length = 64,
          .pattern = "^[A-Za-z][-+_/A-Za-z0-9]*$",
          .pattern_words = "the name of a time zone"};
}

}  // namespace holdfast::api
