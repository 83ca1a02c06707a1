#include "operator/kube/watch_event.h"

#include <optional>

#include "operator/kube/api_error.h"

namespace holdfast::kube {
namespace {

Error Corrupt(std::string message) {
  return {ErrorCode::kCorruption, std::move(message)};
}

std::optional<WatchEventType> TypeOf(const std::string& type) {
  if (type == "ADDED") return WatchEventType::kAdded;
  if (type == "MODIFIED") return WatchEventType::kModified;
  if (type == "DELETED") return WatchEventType::kDeleted;
  if (type == "BOOKMARK") return WatchEventType::kBookmark;
  return std::nullopt;
}

}  // namespace

Result<WatchEvent> ParseWatchEvent(const ResourceKind& kind, std::string_view line) {
  Json event = Json::parse(line, nullptr, false);
  if (!event.is_object()) return Corrupt("a line of the stream is no JSON object");
  const std::string type_name = StringAt(event, "/type");
  const auto object = event.find("object");
  if (object == event.end() || !object->is_object()) return Corrupt("an event without an object");
  if (type_name == "ERROR") return ErrorFromStatus(*object);
  const auto type = TypeOf(type_name);
  if (!type) return Corrupt("an event of the unknown type \"" + type_name.substr(0, 32) + "\"");
  if (const std::string found = StringAt(*object, "/kind"); !found.empty() && found != kind.kind) {
    return Corrupt("an event about a " + found.substr(0, 64) + " instead of a " + kind.kind);
  }
  if (ResourceVersionOf(*object).empty()) return Corrupt("an event without a resourceVersion");
  if (*type != WatchEventType::kBookmark && KeyOf(*object).name.empty()) return Corrupt("an event without a name");
  (*object)["apiVersion"] = kind.api_version();
  (*object)["kind"] = kind.kind;
  return WatchEvent{*type, std::move(*object)};
}

}  // namespace holdfast::kube
