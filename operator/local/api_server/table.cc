#include "operator/local/api_server/table.h"

#include <fmt/format.h>

#include "base/time/duration.h"
#include "operator/local/api_server/builtin_columns.h"
#include "operator/local/api_server/json_access.h"
#include "operator/local/api_server/json_path.h"

namespace holdfast::local {
namespace {

Json ColumnDefinition(const PrinterColumn& column) {
  std::string description = column.description;
  if (description.empty()) {
    description = "Custom resource definition column (in JSONPath format): " + column.json_path;
  }
  return {{"name", column.name},
          {"type", column.type},
          {"format", column.format},
          {"description", description},
          {"priority", column.priority}};
}

Json CustomCell(const Json& object, const PrinterColumn& column, Timestamp now) {
  std::vector<const Json*> found = EvaluateJsonPath(object, column.json_path);
  if (found.empty() || found.front()->is_null()) return nullptr;
  const Json& value = *found.front();
  if (column.type == "date") return AgeCell(value.is_string() ? value.get<std::string>() : "", now);
  if (column.type == "string") return value.is_string() ? value : Json(value.dump());
  if (column.type == "integer" && !value.is_number()) return nullptr;
  if (column.type == "boolean" && !value.is_boolean()) return nullptr;
  return value;
}

Json RowOf(const ResourceType& type, const Json& object, RowObject row_object, Timestamp now) {
  Json cells = Json::array();
  if (type.custom) {
    cells.push_back(NameOf(object));
    for (const PrinterColumn& column : type.columns) cells.push_back(CustomCell(object, column, now));
  } else {
    cells = BuiltinCells(type.kind.kind, object, now);
  }
  Json row = {{"cells", std::move(cells)}};
  if (row_object == RowObject::kObject) row["object"] = object;
  if (row_object == RowObject::kMetadata) {
    row["object"] = {{"kind", "PartialObjectMetadata"},
                     {"apiVersion", "meta.k8s.io/v1"},
                     {"metadata", ObjectAt(object, {"metadata"})}};
  }
  return row;
}

}  // namespace

std::string HumanDuration(std::chrono::seconds duration) {
  std::int64_t seconds = duration.count();
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 60 * 2) return fmt::format("{}s", seconds);
  std::int64_t minutes = seconds / 60;
  if (minutes < 10)
    return seconds % 60 == 0 ? fmt::format("{}m", minutes) : fmt::format("{}m{}s", minutes, seconds % 60);
  if (minutes < 60 * 3) return fmt::format("{}m", minutes);
  std::int64_t hours = minutes / 60;
  if (hours < 8) return minutes % 60 == 0 ? fmt::format("{}h", hours) : fmt::format("{}h{}m", hours, minutes % 60);
  if (hours < 48) return fmt::format("{}h", hours);
  std::int64_t days = hours / 24;
  if (hours < 24 * 8) return hours % 24 == 0 ? fmt::format("{}d", days) : fmt::format("{}d{}h", days, hours % 24);
  if (days < 365 * 2) return fmt::format("{}d", days);
  if (days < 365 * 8) {
    std::int64_t rest = days % 365;
    return rest == 0 ? fmt::format("{}y", days / 365) : fmt::format("{}y{}d", days / 365, rest);
  }
  return fmt::format("{}y", days / 365);
}

Json AgeCell(const std::string& since, Timestamp now) {
  auto when = ParseTimestamp(since);
  if (!when.ok()) return "<unknown>";
  return HumanDuration(std::chrono::floor<std::chrono::seconds>(now - *when));
}

Json TableOf(const ResourceType& type, const std::vector<StoredObject>& objects, const Json& list_metadata,
             RowObject row_object, Timestamp now) {
  Json columns = Json::array();
  if (type.custom) columns.push_back(ColumnDefinition({"Name", "string", "name", "Name of the object", 0, ""}));
  for (const PrinterColumn& column : type.custom ? type.columns : BuiltinColumns(type.kind.kind)) {
    columns.push_back(ColumnDefinition(column));
  }
  Json rows = Json::array();
  for (const StoredObject& object : objects) rows.push_back(RowOf(type, *object, row_object, now));
  return {{"kind", "Table"},
          {"apiVersion", "meta.k8s.io/v1"},
          {"metadata", list_metadata},
          {"columnDefinitions", std::move(columns)},
          {"rows", std::move(rows)}};
}

}  // namespace holdfast::local
