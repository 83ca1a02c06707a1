#include "operator/api/v1/name_fields.h"

#include <utility>

namespace holdfast::api {

Field StorageNameField(std::string name, std::string description, std::size_t max_length) {
  return {.name = std::move(name),
          .type = FieldType::kString,
          .description = std::move(description),
          .required = true,
          .max_length = max_length,
          .pattern = kStorageNamePattern,
          .pattern_words = kStorageNameWords};
}

}  // namespace holdfast::api
