#include "service/durability/content.h"

#include "service/storage/key_space.h"

namespace holdfast::durability {

Part PartOf(std::string_view key) {
  const std::size_t end = key.find('\0');
  if (end == std::string_view::npos || end + 1 == key.size()) return Part::kNone;
  if (key.substr(0, end) == storage::kSystemNamespace) return Part::kNone;
  switch (static_cast<storage::Room>(key[end + 1])) {
    case storage::Room::kFences:
      return Part::kFence;
    case storage::Room::kReplays:
      return Part::kAnswer;
    case storage::Room::kLocks:
    case storage::Room::kSystem:
      return Part::kNone;
    default:
      return Part::kContent;
  }
}

}  // namespace holdfast::durability
