#include "base/redis/value.h"

namespace holdfast::redis {

std::string_view TypeName(Value::Type type) {
  switch (type) {
    case Value::Type::kNil:
      return "nil";
    case Value::Type::kInteger:
      return "integer";
    case Value::Type::kString:
      return "string";
    case Value::Type::kStatus:
      return "status";
    case Value::Type::kError:
      return "error";
    case Value::Type::kArray:
      return "array";
  }
  return "unknown";
}

}  // namespace holdfast::redis
