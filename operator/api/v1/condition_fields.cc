#include "operator/api/v1/condition_fields.h"

#include <utility>

namespace holdfast::api {

Field ConditionFields(std::string description) {
  Field condition = {.fields = {
                         {.name = "type",
                          .type = FieldType::kString,
                          .description = "What it is about, in one word for programs.",
                          .required = true,
                          .max_length = 316},
                         {.name = "status",
                          .type = FieldType::kString,
                          .description = "Whether it is so.",
                          .required = true,
                          .choices = {"True", "False", "Unknown"}},
                         {.name = "reason",
                          .type = FieldType::kString,
                          .description = "Why, in one word for programs.",
                          .required = true,
                          .max_length = 1024},
                         {.name = "message",
                          .type = FieldType::kString,
                          .description = "Why, in a sentence for people.",
                          .required = true,
                          .max_length = 32768},
                         {.name = "observedGeneration",
                          .type = FieldType::kInteger,
                          .description = "The metadata.generation this was found for.",
                          .minimum = 0},
                         {.name = "lastTransitionTime",
                          .type = FieldType::kTime,
                          .description = "Since when the status is what it is.",
                          .required = true},
                     }};
  return {.name = "conditions",
          .type = FieldType::kList,
          .description = std::move(description),
          .max_items = 16,
          .list_key = "type",
          .items = {std::move(condition)}};
}

}  // namespace holdfast::api
