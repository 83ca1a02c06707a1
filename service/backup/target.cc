#include "service/backup/target.h"

#include <fmt/format.h>

#include "service/durability/checkpoint_directory.h"

namespace holdfast::backup {

static_assert(kMaxNameBytes == durability::kMaxIdBytes);

bool IsName(std::string_view name) {
  return durability::IsCheckpointId(name);
}

std::string Show(const ObjectName& name) {
  return name.backup + '/' + name.object;
}

Error AlreadyThere(const ObjectName& name, const Target& target) {
  return {ErrorCode::kAlreadyExists, fmt::format("there is a {} in {} already", Show(name), target.Describe())};
}

Status CheckName(const ObjectName& name) {
  if (IsName(name.backup) && IsName(name.object)) return {};
  return Error(ErrorCode::kInvalidArgument, "the id of a backup is 1 to 63 of a-z, 0-9 and -");
}

}  // namespace holdfast::backup
